"""Alembic revisions of the embedded queue, in order."""
