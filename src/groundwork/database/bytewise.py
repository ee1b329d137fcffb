"""Compare texts byte by byte, as Python does, whatever the collation of the PostgreSQL database."""

from groundwork.database.transaction import Engine


def bytewise(column: str, engine: Engine) -> str:
    """The column, compared and ordered byte by byte. PostgreSQL uses no index on the column for it; SQLite orders so
    anyway.
    """
    return f'{column} collate "C"' if engine == "postgresql" else column
