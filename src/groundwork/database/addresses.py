"""Rows found by whose address a column holds, ``scheme://authority/…``, whatever order the database keeps texts in.

A range from one authority's first address to the next one's holds others besides in most collations, or misses some of its own. Engines
cut texts by functions of their own; an index on what is cut off has the same words, without the table's name.
"""

from typing import Final

from groundwork.database.transaction import Engine

ENGINES: Final[tuple[Engine, ...]] = ("sqlite", "postgresql")


def authority_of(engine: Engine, column: str) -> str:
    """What stands between the second slash and the third; of addresses that have both."""
    if engine == "postgresql":
        return f"split_part({column}, '/', 3)"
    behind = f"substr({column}, instr({column}, '://') + 3)"
    return f"substr({behind}, 1, instr({behind}, '/') - 1)"
