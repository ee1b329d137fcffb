"""Order tables by their foreign keys: each table comes after those that it refers to."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter

# Rows of one table, in the order of its columns.
Rows = Sequence[Sequence[int | str | bytes | None]]

# Number of rows in memory at once.
ROWS_AT_ONCE = 1000

# Tables that exist in one engine only and are filled by triggers on other tables, such as a search index.
DERIVED_PREFIX = "search_"


@dataclass(frozen=True, slots=True)
class DatabaseTable:
    """A table and its columns, in the order of the schema."""

    name: str
    columns: tuple[str, ...]


def in_order(columns: Mapping[str, Sequence[str]], references: Iterable[tuple[str, str]]) -> list[DatabaseTable]:
    """Order tables so that each comes after those that it refers to. ``references`` are pairs (table, table that it
    refers to).
    """
    sorter: TopologicalSorter[str] = TopologicalSorter(dict.fromkeys(sorted(columns), ()))
    for name, other in references:
        if name != other and name in columns and other in columns:
            sorter.add(name, other)
    return [DatabaseTable(name, tuple(columns[name])) for name in sorter.static_order()]
