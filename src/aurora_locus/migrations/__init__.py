"""The PDS's schema, as numbered forward-only revisions in the SQL that SQLite and PostgreSQL share."""
