"""Alembic revisions of the directory."""
