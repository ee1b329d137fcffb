"""A PDS whose database has an address, and room for another beside it."""

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from aurora_locus.maintenance.manifest import SCHEMA
from aurora_locus.repository.repositories import Repositories
from groundwork.clock import HandClock
from groundwork.database.migrate import migrate
from groundwork.database.open_ import open_database
from groundwork.database.transaction import Database, Engine
from tests.aurora_locus.conftest import assemble
from tests.aurora_locus.maintenance.vaults import Place, _numbers
from tests.left_databases import name_of_own


@pytest.fixture
async def place(request: pytest.FixtureRequest, engine: Engine, tmp_path: Path) -> AsyncIterator[Place]:
    """Two databases of the test's engine that are not there yet."""
    if engine == "sqlite":
        yield Place(f"sqlite://{tmp_path / 'here.db'}", f"sqlite://{tmp_path / 'there.db'}")
        return
    server: str = request.getfixturevalue("postgres_url")
    names = [name_of_own("kept", next(_numbers)) for _ in range(2)]
    connection = await asyncpg.connect(server)
    try:
        for name in names:
            await connection.execute(f'drop database if exists "{name}" with (force)')
            await connection.execute(f'create database "{name}"')
        yield Place(*(urlsplit(server)._replace(path=f"/{name}").geturl() for name in names))
        for name in names:
            await connection.execute(f'drop database "{name}" with (force)')
    finally:
        await connection.close()


@pytest.fixture
async def db(place: Place, clock: HandClock) -> AsyncIterator[Database]:
    """The first of them, with its tables."""
    await migrate(place.url, SCHEMA, "aurora_locus")
    database = await open_database(place.url, schema=SCHEMA, clock=clock)
    yield database
    await database.close()


@pytest.fixture
async def repositories(db: Database, clock: HandClock, tmp_path: Path) -> AsyncIterator[Repositories]:
    assembled = await assemble(db, clock, tmp_path)
    yield assembled
    await assembled.blobs.settle()
