"""The schema of one tenant's database, as numbered forward-only revisions."""
