"""Effects of a moderator's decision on events, series, groups and accounts."""
