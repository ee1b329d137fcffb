"""The folder that Alembic calls its environment: ``env.py`` runs the revisions of whichever package is migrated."""
