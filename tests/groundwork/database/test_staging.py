"""A database is prepared next to its place and moved there, but never onto another one with content."""

import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import asyncpg
import pytest
from tests.databases import drop_schemas

from groundwork.clock import HandClock, Instant
from groundwork.database.open_ import open_database, sqlite_path
from groundwork.database.staging import StagedDatabase, stage
from groundwork.database.transaction import Engine
from groundwork.errors import Refused

Place = tuple[str, str]


@pytest.fixture
async def place(request: pytest.FixtureRequest, engine: Engine, tmp_path: Path) -> AsyncIterator[Place]:
    """The URL and schema of a database that does not exist."""
    if engine == "sqlite":
        yield f"sqlite://{tmp_path / 'here.db'}", "here"
        return
    url, schema = request.getfixturevalue("postgres_url"), f"staged_{os.getpid()}"
    yield url, schema
    await drop_schemas(url, [schema, f"{schema}_unfinished"])


async def execute(url: str, schema: str, statement: str) -> None:
    """Execute a statement, without the port, which would create more than the test wants."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(sqlite_path(url, schema))) as file, file:
            file.execute(statement)
        return
    connection = await asyncpg.connect(url, server_settings={"search_path": schema})
    await connection.execute(f'create schema if not exists "{schema}"')
    await connection.execute(statement)
    await connection.close()


async def fill(staged: StagedDatabase) -> None:
    await execute(staged.url, staged.schema, "create table guests (name text)")
    await execute(staged.url, staged.schema, "insert into guests values ('Ada')")


async def guests(place: Place) -> list[str]:
    db = await open_database(place[0], schema=place[1], clock=HandClock(Instant(0)))
    async with db.reader() as reader:
        rows = await reader.fetch("select name from guests")
    await db.close()
    return [row["name"] for row in rows]


@pytest.mark.parametrize("is_created", [False, True])
async def test_it_moves_into_an_empty_place(place: Place, *, is_created: bool) -> None:
    """The place may not exist, or exist without content: a file of no bytes, or a schema without tables."""
    if is_created:
        await execute(*place, "select 1")
    staged = await stage(*place)
    await fill(staged)
    await staged.move_into_place()
    assert await guests(place) == ["Ada"]


async def test_a_database_with_content_is_refused_before_the_work(place: Place) -> None:
    await execute(*place, "create table others (name text)")
    with pytest.raises(Refused, match="already a database"):
        await stage(*place)


async def test_a_database_that_appeared_meanwhile_is_kept(place: Place) -> None:
    staged = await stage(*place)
    await fill(staged)
    await execute(*place, "create table guests (name text)")
    with pytest.raises(Refused, match="already a database"):
        await staged.move_into_place()
    assert await guests(place) == []


async def test_a_replaced_database_is_dropped(place: Place) -> None:
    await execute(*place, "create table guests (name text)")
    staged = await stage(*place, replaces=True)
    await fill(staged)
    await staged.move_into_place()
    assert await guests(place) == ["Ada"]


async def test_remains_of_an_interrupted_command_are_dropped(place: Place) -> None:
    await fill(await stage(*place))
    staged = await stage(*place)
    await fill(staged)
    await staged.move_into_place()
    assert await guests(place) == ["Ada"]
