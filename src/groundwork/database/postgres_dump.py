"""Dump of a PostgreSQL schema: read in one REPEATABLE READ transaction, loaded with COPY.

It needs no server program such as ``pg_dump`` and does not block writers.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from groundwork.database.connection_failures import CONNECTION_FAILURES, connection_failure
from groundwork.database.migrate import VERSION_TABLE_PREFIX
from groundwork.database.postgres import check_schema_name, translate_error
from groundwork.database.table_order import ROWS_AT_ONCE, DatabaseTable, Rows, in_order
from groundwork.errors import Refused

_COLUMNS = """
    select c.table_name, c.column_name
      from information_schema.columns c
      join information_schema.tables t on t.table_schema = c.table_schema and t.table_name = c.table_name
     where c.table_schema = $1 and t.table_type = 'BASE TABLE'
     order by c.table_name, c.ordinal_position
"""
_REFERENCES = """
    select child.relname, parent.relname
      from pg_catalog.pg_constraint f
      join pg_catalog.pg_class child on child.oid = f.conrelid
      join pg_catalog.pg_class parent on parent.oid = f.confrelid
      join pg_catalog.pg_namespace n on n.oid = child.relnamespace
     where f.contype = 'f' and n.nspname = $1
     order by 1, 2
"""
_HAS_RELATIONS = """
    select exists (
        select 1 from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace where n.nspname = $1
    )
"""


class PostgresContents:
    """The contents of a schema, read in a transaction with one snapshot."""

    def __init__(self, connection: "asyncpg.Connection[Any]", schema: str, tables: Sequence[DatabaseTable]) -> None:
        self._connection = connection
        self._schema = schema
        self.tables = tables

    async def rows(self, table: DatabaseTable) -> AsyncIterator[Rows]:
        columns = ", ".join(f'"{column}"' for column in table.columns)
        cursor = await self._connection.cursor(f'select {columns} from "{self._schema}"."{table.name}"')
        while rows := await cursor.fetch(ROWS_AT_ONCE):
            yield [tuple(row) for row in rows]


@asynccontextmanager
async def reading(url: str, schema: str) -> AsyncIterator[PostgresContents]:
    """Open a snapshot of the schema."""
    check_schema_name(schema)
    async with _connected(url) as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        yield PostgresContents(connection, schema, await _tables(connection, schema))


class PostgresLoader:
    """A schema that is being filled."""

    def __init__(self, connection: "asyncpg.Connection[Any]", schema: str) -> None:
        self._connection = connection
        self._schema = schema

    async def put(self, table: str, columns: Sequence[str], rows: Rows, /) -> None:
        await self._connection.copy_records_to_table(
            table, records=rows, columns=list(columns), schema_name=self._schema
        )


@asynccontextmanager
async def loading(url: str, schema: str) -> AsyncIterator[PostgresLoader]:
    """Replace the rows of a schema with a dump, in one transaction. Raises ValueError for broken references."""
    check_schema_name(schema)
    async with _connected(url) as connection:
        try:
            async with connection.transaction():
                for table in reversed(await _tables(connection, schema)):
                    # Remove the rows that migrations inserted. Append-only tables reject deletes and are empty.
                    if await connection.fetchval(f'select exists (select 1 from "{schema}"."{table.name}")'):
                        await connection.execute(f'delete from "{schema}"."{table.name}"')
                yield PostgresLoader(connection, schema)
        except asyncpg.ForeignKeyViolationError as broken:
            raise ValueError(f"rows have a broken reference, in {broken.table_name}") from broken
        except asyncpg.PostgresError as failure:
            raise translate_error(failure) from failure


@asynccontextmanager
async def _connected(url: str) -> "AsyncIterator[asyncpg.Connection[Any]]":
    try:
        connection = await asyncpg.connect(url)
    except CONNECTION_FAILURES as failure:
        raise connection_failure(url, failure) from failure
    try:
        yield connection
    finally:
        await connection.close()


async def _tables(connection: "asyncpg.Connection[Any]", schema: str) -> list[DatabaseTable]:
    columns: dict[str, list[str]] = {}
    for row in await connection.fetch(_COLUMNS, schema):
        if not row[0].startswith(VERSION_TABLE_PREFIX):
            columns.setdefault(row[0], []).append(row[1])
    references = [(row[0], row[1]) for row in await connection.fetch(_REFERENCES, schema)]
    return in_order(columns, references)


async def has_relations(url: str, schema: str) -> bool:
    """Whether a schema exists and has a table, view or sequence."""
    check_schema_name(schema)
    async with _connected(url) as connection:
        return bool(await connection.fetchval(_HAS_RELATIONS, schema))


async def drop_schema(url: str, schema: str) -> None:
    """Drop a schema with everything in it. Does nothing if it does not exist."""
    check_schema_name(schema)
    async with _connected(url) as connection:
        await connection.execute(f'drop schema if exists "{schema}" cascade')


async def rename_schema(url: str, schema: str, to: str, *, replacing: bool = False) -> None:
    """Rename a schema atomically, replacing an empty one, or with ``replacing`` one with content.

    Raises Refused if there is one with content and it must not be replaced, and the failures of ``transaction``.
    """
    check_schema_name(schema)
    check_schema_name(to)
    async with _connected(url) as connection:
        try:
            async with connection.transaction():
                await connection.execute(f'drop schema if exists "{to}" {"cascade" if replacing else "restrict"}')
                await connection.execute(f'alter schema "{schema}" rename to "{to}"')
        except asyncpg.DependentObjectsStillExistError as failure:
            raise Refused(f"There is already a database in the schema {to}.") from failure
        except asyncpg.PostgresError as failure:
            raise translate_error(failure) from failure
