"""Alembic's environment folder. ``env.py`` runs the revisions of the package that is being migrated."""
