"""Pages and API about one's own records: record settings, merge decisions, backfill progress, submitted records."""
