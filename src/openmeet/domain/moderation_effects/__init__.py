"""What a moderator's decision changes in events, series, groups and accounts."""
