"""Schema of the PDS: numbered, forward-only revisions in the SQL that SQLite and PostgreSQL share."""
