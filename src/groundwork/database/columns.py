"""Lists of columns in the text of a statement."""


def qualified(columns: str, table: str) -> str:
    """The columns ``a, b`` with the name or alias of their table: ``t.a, t.b``."""
    return ", ".join(f"{table}.{name.strip()}" for name in columns.split(","))
