"""The operator's pages: synchronization status, failed jobs, feature flags. This package owns no database table."""
