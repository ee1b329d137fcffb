"""A PDS with a database that has a URL, and a second, empty database."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from aurora_locus.repository.repositories import Repositories
from aurora_locus.settings import PACKAGE, SCHEMA
from groundwork.clock import HandClock
from groundwork.database.open_ import open_database
from groundwork.database.transaction import Database, Engine
from tests.aurora_locus.conftest import assemble, close_assembled
from tests.aurora_locus.maintenance.vaults import Place
from tests.databases import PostgresDatabases, sqlite_url


@pytest.fixture
async def place(
    request: pytest.FixtureRequest, engine: Engine, tmp_path: Path, sqlite_templates: Path
) -> AsyncIterator[Place]:
    """Two databases of the test's engine. The second is empty, and so is the first unless the test uses ``db``."""
    has_tables = "db" in request.fixturenames
    if engine == "sqlite":
        here = await sqlite_url(tmp_path, sqlite_templates, PACKAGE if has_tables else None)
        yield Place(here, f"sqlite://{tmp_path / 'there.db'}")
        return
    databases: PostgresDatabases = request.getfixturevalue("postgres_databases")
    here = await (databases.borrow(PACKAGE) if has_tables else databases.borrow_blank())
    there = await databases.borrow_blank()
    yield Place(here, there)
    await (databases.give_back(here, PACKAGE) if has_tables else databases.give_back_blank(here))
    await databases.give_back_blank(there)


@pytest.fixture
async def db(place: Place, clock: HandClock) -> AsyncIterator[Database]:
    """The first database, with its tables."""
    database = await open_database(place.url, schema=SCHEMA, clock=clock)
    yield database
    await close_assembled()
    await database.close()


@pytest.fixture
async def repositories(db: Database, clock: HandClock, tmp_path: Path) -> AsyncIterator[Repositories]:
    assembled = await assemble(db, clock, tmp_path)
    yield assembled
    await assembled.close()
