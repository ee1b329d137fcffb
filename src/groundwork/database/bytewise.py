"""Texts compared as Python compares them, whatever the collation of the database: PostgreSQL's is chosen where it is made."""

from groundwork.database.transaction import Engine


def bytewise(column: str, engine: Engine) -> str:
    """The column, compared and ordered byte by byte. PostgreSQL uses no index on the column for it; SQLite knows no other order."""
    return f'{column} collate "C"' if engine == "postgresql" else column
