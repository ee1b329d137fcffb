"""One statement for many rows: what a batch writes to a table, in one round trip with one plan.

The rows are a table in the statement, ``each(uri text, rev text) as given``: its columns with PostgreSQL's types, and
its alias. PostgreSQL gets an array per column. SQLite, which has no round trips, runs the statement once per row; so
what it does to one row must not depend on the others.
"""

import functools
import re
from collections.abc import Mapping, Sequence

from groundwork.database.transaction import Reader, Row, Transaction

_EACH = re.compile(r"\beach\((?P<columns>[^()]*)\)\s+as\s+(?P<name>[a-z_]+)")

_WRITTEN = re.compile(rf"\bselect\s(?P<values>[^;]*?)\sfrom\s+{_EACH.pattern}\s+where 1 = 1\b")


async def for_each(
    reader: Reader, sql: str, rows: Sequence[Mapping[str, object]], /, **shared: object
) -> Sequence[Row]:
    """The returned rows, in no order; ``shared`` are parameters that are the same for all rows.

    ``insert … select … from each(…)`` needs a ``where`` before ``on conflict``: SQLite would read it as a join
    condition.
    """
    if not rows:
        return []
    if reader.engine == "sqlite":
        text = _for_one(sql)
        return [found for row in rows for found in await reader.fetch(text, **row, **shared)]
    text, names = _for_many(sql)
    return await reader.fetch(text, **{name: [row[name] for row in rows] for name in names}, **shared)


async def write_each(tx: Transaction, sql: str, rows: Sequence[Mapping[str, object]], /, **shared: object) -> None:
    """``for_each`` of ``insert … select … from each(…) as given where 1 = 1 …``, each column as ``given.column``,
    without results.

    SQLite runs it with one ``executemany``.
    """
    if not rows:
        return
    if tx.engine == "sqlite":
        await tx.execute_many(_with_values(sql), [{**row, **shared} for row in rows] if shared else rows)
        return
    text, names = _for_many(sql)
    await tx.execute(text, **{name: [row[name] for row in rows] for name in names}, **shared)


def inserting(table: str, columns: Mapping[str, str]) -> str:
    """``insert into`` a table from rows that have these columns (name to type)."""
    names, given = ", ".join(columns), ", ".join(f"given.{name}" for name in columns)
    typed = ", ".join(f"{name} {kind}" for name, kind in columns.items())
    return f"insert into {table} ({names}) select {given} from each({typed}) as given where 1 = 1"


@functools.lru_cache(maxsize=256)
def _for_many(sql: str) -> tuple[str, tuple[str, ...]]:
    found = _EACH.search(sql)
    if found is None:
        raise ValueError("the statement names no table of rows: each(column type, …) as name")
    columns = [column.split() for column in found["columns"].split(",")]
    arrays = ", ".join(f"cast(:{name} as {kind}[])" for name, kind in columns)
    names = tuple(name for name, _ in columns)
    table = f"unnest({arrays}) as {found['name']} ({', '.join(names)})"
    return sql[: found.start()] + table + sql[found.end() :], names


@functools.lru_cache(maxsize=256)
def _with_values(sql: str) -> str:
    """Selecting the row to write would double the cost on SQLite."""
    found = _WRITTEN.search(sql)
    if found is None:
        raise ValueError(
            "the statement does not write a table of rows: insert … select … from each(…) as name where 1 = 1"
        )
    values = re.sub(rf"\b{found['name']}\.([a-z_]+)", r":\1", found["values"])
    return f"{sql[: found.start()]}values ({values}) {sql[found.end() :]}"


@functools.lru_cache(maxsize=256)
def _for_one(sql: str) -> str:
    found = _EACH.search(sql)
    if found is None:
        raise ValueError("the statement names no table of rows: each(column type, …) as name")
    values = ", ".join(f":{name} as {name}" for name, _ in (column.split() for column in found["columns"].split(",")))
    return f"{sql[: found.start()]}(select {values}) as {found['name']}{sql[found.end() :]}"
