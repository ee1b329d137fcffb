"""The revisions, in order. Each is plain SQL that SQLite and PostgreSQL both run."""
