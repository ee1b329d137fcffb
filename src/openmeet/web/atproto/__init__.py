"""Pages and API for a user's own records: record settings, merge decisions, backfill progress, submitted records."""
