"""The operator's pages: how synchronisation stands, failed jobs, feature flags. Owns no table."""
