"""PostgreSQL schemas with a package's tables that tests reuse.

Creating a schema takes half a second, dropping one takes as long as a test, and emptying one takes a few milliseconds.
The rows that a test leaves behind are deleted, and the rows that the revisions had inserted are restored. A schema in
which anything other than rows has changed is dropped.
"""

import asyncio
import io
import itertools
import os
import threading
from collections.abc import Awaitable, Callable, Collection, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

import asyncpg

T = TypeVar("T")

# The application name of the connections that empty schemas; no program under test uses it.
EMPTIER = "emptied schemas"

_numbers = itertools.count(1)

# Fingerprint of a schema: its tables and functions, what belongs to its tables (indexes, constraints, triggers,
# defaults), and their columns. Everything is identified by its OID, so a recreated object counts as changed. Catalogs
# can be large, so each part is found by an index. Summing hashes takes a third of the time of concatenating all OIDs.
_SHAPE = """
with own as (
    select classid, objid from pg_depend
     where refclassid = 'pg_namespace'::regclass and refobjid = (select oid from pg_namespace where nspname = $1)
), tables as (
    select objid from own where classid = 'pg_class'::regclass
)
select concat_ws(' ',
    (select concat(count(*), ':', sum(hashint8extended(objid::bigint, classid::bigint))) from own),
    (select concat(count(*), ':', sum(hashint8extended(
                (objid::bigint << 32) | refobjid::bigint, (classid::bigint << 32) | refobjsubid)))
       from pg_depend where refclassid = 'pg_class'::regclass and refobjid in (select objid from tables)),
    (select concat(count(*), ':', sum(hashtextextended(
                concat(attname, ' ', attcollation), (attrelid::bigint << 32) | (atttypid::bigint << 1) | attnotnull::int)))
       from pg_attribute where attrelid in (select objid from tables) and attnum > 0))
"""
_TABLES = """
select c.relname
  from pg_namespace n
  join pg_depend d on d.refclassid = 'pg_namespace'::regclass and d.refobjid = n.oid and d.classid = 'pg_class'::regclass
  join pg_class c on c.oid = d.objid and c.relkind = 'r'
 where n.nspname = $1 order by c.relname
"""

_CUT_OFF = f"""
select pg_terminate_backend(pid) from pg_stat_activity
 where datname = current_database() and application_name <> '{EMPTIER}' and pid <> all($1::int[])
"""


@dataclass(frozen=True)
class _Fresh:
    """A schema as its revisions leave it: its fingerprint, its tables, and the rows of those that have any."""

    shape: str
    tables: tuple[str, ...]
    rows: dict[str, bytes]


class Emptied:
    """The emptied schemas of one process that can be reused, by database and package.

    Tests have event loops of their own. Emptying uses a loop in a thread, so that its connections and plans outlive a
    test.
    """

    def __init__(self, make: Callable[[str, str, str], Awaitable[None]]) -> None:
        self._make = make
        self._fresh: dict[tuple[str, str], _Fresh] = {}
        self._free: dict[tuple[str, str], list[str]] = {}
        self._connections: dict[str, asyncpg.Connection] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="emptied schemas", daemon=True)
        self._thread.start()

    async def borrow(self, url: str, package: str) -> str:
        """Return the name of a schema that has the package's tables and no data of any test."""
        free = self._free.setdefault((url, package), [])
        if free:
            return free.pop()
        schema = f"t_{os.getpid()}_{next(_numbers)}"
        await self.ready(url, schema, package)
        return schema

    async def give_back(self, url: str, schema: str, package: str) -> bool:
        """Empty the schema for the next test. Returns False if its structure has changed, so that it must be dropped."""
        if not await self.empty(url, schema):
            return False
        self._free[url, package].append(schema)
        return True

    async def ready(self, url: str, schema: str, package: str) -> None:
        """Make sure that this schema exists with the package's tables."""
        if (url, schema) in self._fresh:
            return
        await self._make(url, schema, package)
        self._fresh[url, schema] = await self._there(self._look(url, schema))

    async def empty(self, url: str, schema: str) -> bool:
        """Restore the initial rows. Returns False if the structure of the schema has changed."""
        fresh = self._fresh[url, schema]
        if await self._there(self._put_back(url, schema, fresh)):
            return True
        del self._fresh[url, schema]
        return False

    async def cut_off_others(self, url: str, spared: Collection[int] = ()) -> None:
        """Disconnect all other connections to this database. Uses an existing connection, because a new one costs more.

        ``spared``: ids of server processes to leave connected.
        """
        await self._there(self._cut_off(url, spared))

    def all(self) -> list[tuple[str, str]]:
        """The (url, schema) pairs that exist."""
        return list(self._fresh)

    def close(self) -> None:
        """Stop the thread and close its connections."""
        asyncio.run_coroutine_threadsafe(self._disconnect(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _there(self, work: Coroutine[Any, Any, T]) -> T:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    async def _connection(self, url: str) -> asyncpg.Connection:
        """Return a working connection: a test may have disconnected the previous one."""
        known = self._connections.get(url)
        try:
            if known is not None:
                await known.execute("select 1")
                return known
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
            pass  # open a new one
        # JIT compilation costs more here than it saves. The replica role turns off foreign keys and the triggers that
        # protect append-only tables. It is set here because changing it later would discard all plans.
        settings = {"jit": "off", "application_name": EMPTIER, "session_replication_role": "replica"}
        # The query over all tables is longer than the statements that asyncpg caches by default, and planning it takes
        # longer than running it.
        self._connections[url] = await asyncpg.connect(url, server_settings=settings, max_cacheable_statement_size=0)
        return self._connections[url]

    async def _look(self, url: str, schema: str) -> _Fresh:
        return await _look(await self._connection(url), schema)

    async def _put_back(self, url: str, schema: str, fresh: _Fresh) -> bool:
        connection = await self._connection(url)
        async with connection.transaction():
            if await connection.fetchval(_SHAPE, schema) != fresh.shape:
                return False
            await _put_back(connection, schema, fresh)
        return True

    async def _cut_off(self, url: str, spared: Collection[int]) -> None:
        connection = await self._connection(url)
        await connection.execute(_CUT_OFF, list(spared))

    async def _disconnect(self) -> None:
        for connection in self._connections.values():
            connection.terminate()


async def _look(connection: asyncpg.Connection, schema: str) -> _Fresh:
    tables = tuple(row["relname"] for row in await connection.fetch(_TABLES, schema))
    rows: dict[str, bytes] = {}
    for table in await _filled(connection, schema, tables):
        copied = io.BytesIO()
        await connection.copy_from_table(table, schema_name=schema, output=copied, format="binary")
        rows[table] = copied.getvalue()
    return _Fresh(await connection.fetchval(_SHAPE, schema), tables, rows)


async def _put_back(connection: asyncpg.Connection, schema: str, fresh: _Fresh) -> None:
    for table in await _filled(connection, schema, fresh.tables):
        await connection.execute(f'delete from "{schema}"."{table}"')
    for table, rows in fresh.rows.items():
        await connection.copy_to_table(table, schema_name=schema, source=io.BytesIO(rows), format="binary")


async def _filled(connection: asyncpg.Connection, schema: str, tables: tuple[str, ...]) -> list[str]:
    if not tables:
        return []
    question = " union all ".join(
        f'select \'{table}\' as name where exists (select 1 from "{schema}"."{table}")' for table in tables
    )
    return [row["name"] for row in await connection.fetch(question)]
