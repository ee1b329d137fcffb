"""Statements for many rows, and several writes, in one round trip.

The rows are a table in the statement, ``each(uri text, rev text) as given``: its columns with PostgreSQL types, and its
alias. PostgreSQL gets an array per column and makes one plan. SQLite, which has no round trips, runs the statement once
per row, so the effect on one row must not depend on the others.

Several writes (``execute_together``) are one statement on PostgreSQL, ``with … as (insert …)``. All its parts see the
rows as they were before the statement and must not change the same row, and an error undoes all of them. SQLite runs
them one after another, in one hop to its thread.
"""

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from groundwork.database import statements
from groundwork.database.postgres import PostgresTransaction
from groundwork.database.sqlite import SqliteTransaction
from groundwork.database.transaction import Reader, Row, Transaction

# Databases limit the number of parameters of one statement. SQLite's limit is the lowest, 32,766.
IDS_PER_STATEMENT: Final = 1000

_EACH = re.compile(r"\beach\((?P<columns>[^()]*)\)\s+as\s+(?P<name>[a-z_]+)")

_INSERTED = re.compile(rf"\bselect\s(?P<values>[^;]*?)\sfrom\s+{_EACH.pattern}\s+where 1 = 1\b")
_UPDATED = re.compile(rf"\s*update\s(?P<change>[^;]*?)\sfrom\s+{_EACH.pattern}\s+where\s(?P<condition>[^;]*)")


async def fetch_each(
    reader: Reader, sql: str, rows: Sequence[Mapping[str, object]], /, **shared: object
) -> Sequence[Row]:
    """Return the resulting rows, in no particular order. ``shared`` are parameters that are the same for all rows.

    ``insert … select … from each(…)`` needs a ``where`` before ``on conflict``; otherwise SQLite would read it as a
    join condition.
    """
    if not rows:
        return []
    if reader.engine == "sqlite":
        text = for_one(sql)
        return [found for row in rows for found in await reader.fetch(text, **row, **shared)]
    text, names = for_many(sql)
    return await reader.fetch(text, **{name: [row[name] for row in rows] for name in names}, **shared)


async def execute_each(tx: Transaction, sql: str, rows: Sequence[Mapping[str, object]], /, **shared: object) -> None:
    """Run ``insert … select … from each(…) as given where 1 = 1 …`` or ``update … set … from each(…) as given where …``
    without results. Each column is written as ``given.column``. An update must not have two rows for the same row of
    the table.

    SQLite runs it with one ``executemany``.
    """
    if not rows:
        return
    if tx.engine == "sqlite":
        await tx.execute_many(_with_values(sql), [{**row, **shared} for row in rows] if shared else rows)
        return
    text, names = for_many(sql)
    await tx.execute(text, **{name: [row[name] for row in rows] for name in names}, **shared)


def insert_rows_sql(table: str, columns: Mapping[str, str]) -> str:
    """Return an ``insert into`` statement for rows that have these columns (name to type)."""
    names, given_columns = ", ".join(columns), ", ".join(f"given.{name}" for name in columns)
    typed_columns = ", ".join(f"{name} {kind}" for name, kind in columns.items())
    return f"insert into {table} ({names}) select {given_columns} from each({typed_columns}) as given where 1 = 1"


@functools.lru_cache(maxsize=256)
def for_many(sql: str) -> tuple[str, tuple[str, ...]]:
    match = _EACH.search(sql)
    if match is None:
        raise ValueError("the statement has no table of rows: each(column type, …) as name")
    columns = [column.split() for column in match["columns"].split(",")]
    arrays = ", ".join(f"cast(:{name} as {kind}[])" for name, kind in columns)
    names = tuple(name for name, _ in columns)
    table = f"unnest({arrays}) as {match['name']} ({', '.join(names)})"
    return sql[: match.start()] + table + sql[match.end() :], names


@functools.lru_cache(maxsize=256)
def _with_values(sql: str) -> str:
    """Rewrite the statement with the values of one row for SQLite, because selecting them would double the cost."""
    if match := _UPDATED.fullmatch(sql):
        return _with_parameters(f"update {match['change']} where {match['condition']}", match["name"])
    match = _INSERTED.search(sql)
    if match is None:
        raise ValueError(
            "the statement does not write a table of rows: insert … select … from each(…) as name where 1 = 1,"
            " or update … from each(…) as name where …"
        )
    return f"{sql[: match.start()]}values ({_with_parameters(match['values'], match['name'])}) {sql[match.end() :]}"


def _with_parameters(sql: str, name: str) -> str:
    return re.sub(rf"\b{name}\.([a-z_]+)", r":\1", sql)


@functools.lru_cache(maxsize=256)
def for_one(sql: str) -> str:
    match = _EACH.search(sql)
    if match is None:
        raise ValueError("the statement has no table of rows: each(column type, …) as name")
    values = ", ".join(f":{name} as {name}" for name, _ in (column.split() for column in match["columns"].split(",")))
    return f"{sql[: match.start()]}(select {values}) as {match['name']}{sql[match.end() :]}"


@dataclass(frozen=True, slots=True)
class SqlWrite:
    """A statement that changes rows, and its parameters."""

    sql: str
    parameters: Mapping[str, object]


async def execute_together(tx: Transaction, writes: Sequence[SqlWrite]) -> None:
    """Run several writes in one round trip. No write may depend on the effect of another."""
    if isinstance(tx, SqliteTransaction) and len(writes) > 1:
        await tx.execute_together([(one.sql, one.parameters) for one in writes])
        return
    if not isinstance(tx, PostgresTransaction) or len(writes) < 2:
        for one in writes:
            await tx.execute(one.sql, **one.parameters)
        return
    parameters = {
        f"{name}_{number}": value for number, one in enumerate(writes) for name, value in one.parameters.items()
    }
    await tx.execute(_joined(tuple(one.sql for one in writes)), **parameters)


@functools.lru_cache(maxsize=256)
def _joined(parts: tuple[str, ...]) -> str:
    named = (f"write_{number} as ({statements.renamed(one, f'_{number}')})" for number, one in enumerate(parts))
    return f"with {', '.join(named)} select 1"
