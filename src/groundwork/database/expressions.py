"""Expressions in the text of a statement, for both engines: lists of columns, bytes in a column, the authority of a URL in
one (``scheme://authority/…``), and a part of a text with ``like``.

Rows of an authority are found by comparing it, independently of the collation. A range of URLs does not work: in most
collations, the range of one authority includes URLs of others or misses some. The engines have different functions to
split text. An index on the authority uses the same expression without the table's name.
"""

from typing import Final

from groundwork.database.transaction import Engine

ENGINES: Final[tuple[Engine, ...]] = ("sqlite", "postgresql")

# Zero-width (non-)joiners, which only decide how letters are drawn. Persian words are written with and without them.
_JOINERS = ("\u200c", "\u200d")


def authority_of(engine: Engine, column: str) -> str:
    """Return the SQL expression for the part between the second and third slash. All URLs must have both."""
    if engine == "postgresql":
        return f"split_part({column}, '/', 3)"
    behind = f"substr({column}, instr({column}, '://') + 3)"
    return f"substr({behind}, 1, instr({behind}, '/') - 1)"


def has_bytes(engine: Engine, column: str, parameter: str) -> str:
    """Return the SQL condition that a column of bytes contains those of a parameter."""
    if engine == "postgresql":
        return f"position(:{parameter} in {column}) > 0"
    return f"instr({column}, :{parameter}) > 0"


def qualified(columns: str, table: str) -> str:
    """The columns ``a, b`` with the name or alias of their table: ``t.a, t.b``."""
    return ", ".join(f"{table}.{name.strip()}" for name in columns.split(","))


def escape_like(text: str) -> str:
    """Escape the wildcards of a pattern for ``like … escape '!'``."""
    return text.replace("!", "!!").replace("%", "!%").replace("_", "!_")


def without_joiners(text: str) -> str:
    """Return the text without zero-width joiners, to compare it with ``without_joiners_sql``."""
    for joiner in _JOINERS:
        text = text.replace(joiner, "")
    return text


def without_joiners_sql(expression: str) -> str:
    """Return the value of an SQL expression without zero-width joiners, as SQL."""
    for joiner in _JOINERS:
        expression = f"replace({expression}, '{joiner}', '')"
    return expression
