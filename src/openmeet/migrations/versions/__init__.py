"""The revisions, in order. Each is plain SQL that both SQLite and PostgreSQL run."""
