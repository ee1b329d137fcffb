"""SQL that finds rows by the authority of a URL column, ``scheme://authority/…``, independent of the collation.

A range from one authority's first URL to the next one's includes others in most collations, or misses some. The engines
have different functions to split texts; an index on the authority uses the same expression, without the table's name.
"""

from typing import Final

from groundwork.database.transaction import Engine

ENGINES: Final[tuple[Engine, ...]] = ("sqlite", "postgresql")


def authority_of(engine: Engine, column: str) -> str:
    """The part between the second slash and the third, of URLs that have both."""
    if engine == "postgresql":
        return f"split_part({column}, '/', 3)"
    behind = f"substr({column}, instr({column}, '://') + 3)"
    return f"substr({behind}, 1, instr({behind}, '/') - 1)"
