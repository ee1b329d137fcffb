"""The operator's pages: synchronization status, failed jobs, feature flags. Owns no table."""
