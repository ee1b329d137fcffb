"""Copying a whole database at one moment from either engine into either engine."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.added_migrations import Revise
from tests.databases import drop_schemas

from groundwork import private_file
from groundwork.clock import HandClock
from groundwork.database.dump import load_contents, read_contents
from groundwork.database.migrate import current_revision, migrate
from groundwork.database.open_ import open_database
from groundwork.database.table_order import in_order
from groundwork.database.transaction import Engine

Place = tuple[str, str]
PACKAGE = "aurora_locus"
DID = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"
MINE = "insert into events (seq, did, kind, frame, sequenced_at) values (:seq, :did, 'commit', :frame, 5)"


@pytest.fixture
async def places(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Callable[[Engine], Place]]:
    """Makes locations for databases: URL and schema."""
    schemas: list[str] = []
    urls: list[str] = []

    def make(engine: Engine) -> Place:
        name = f"c_{os.getpid()}_{len(schemas)}_{len(list(tmp_path.iterdir()))}"
        schemas.append(name)
        if engine == "sqlite":
            return f"sqlite://{tmp_path / name}.db", name
        urls.append(request.getfixturevalue("postgres_url"))
        return urls[0], name

    yield make
    if urls:
        await drop_schemas(urls[0], schemas)


async def fill(place: Place, clock: HandClock, *, rows: int = 2500) -> None:
    await migrate(*place, PACKAGE)
    db = await open_database(place[0], schema=place[1], clock=clock)
    await db.write(
        lambda w: w.execute_many(
            MINE, [{"seq": n, "did": DID, "frame": bytes([n % 256]) * 3} for n in range(1, rows + 1)]
        )
    )
    await db.write(lambda w: w.execute("update sequencer set last = :last", last=rows))
    await db.write(
        lambda w: w.execute(
            "insert into repositories (did, status, head, rev, data, created_at) values (:did, 'active', :b, 'r', :b, 7)",
            did=DID,
            b=b"\x00\xff",
        )
    )
    await db.write(
        lambda w: w.execute(
            "insert into accounts (did, handle, created_at) values (:did, :handle, 9)", did=DID, handle="ümlaut.test"
        )
    )
    await db.close()


async def whole(place: Place, scratch: Path) -> dict[str, list[tuple[Any, ...]]]:
    async with read_contents(*place, scratch) as contents:
        return {
            table.name: sorted([tuple(row) async for rows in contents.rows(table) for row in rows], key=repr)
            for table in contents.tables
        }


@pytest.mark.parametrize("source", ["sqlite", "postgresql"])
@pytest.mark.parametrize("target", ["sqlite", "postgresql"])
async def test_every_row_arrives(
    places: Callable[[Engine], Place], clock: HandClock, tmp_path: Path, source: Engine, target: Engine
):
    """Every row arrives, from any engine into any, and replaces the rows that migrations have inserted."""
    here, there = places(source), places(target)
    await fill(here, clock)
    await migrate(*there, PACKAGE)
    async with read_contents(*here, tmp_path / "scratch") as contents, load_contents(*there) as loading:
        for table in contents.tables:
            async for rows in contents.rows(table):
                await loading.put(table.name, table.columns, rows)
    found = await whole(there, tmp_path / "scratch")
    assert found == await whole(here, tmp_path / "scratch")
    assert len(found["events"]) == 2500
    assert not list((tmp_path / "scratch").glob("*"))


async def test_copy_is_a_snapshot_during_writes(
    places: Callable[[Engine], Place], clock: HandClock, tmp_path: Path, engine: Engine
):
    """A copy is from one moment although every commit changes both tables: numbers and events agree."""
    place = places(engine)
    await fill(place, clock, rows=10)
    db = await open_database(place[0], schema=place[1], clock=clock)
    stop = asyncio.Event()

    async def write() -> None:
        number = 10
        while not stop.is_set():
            number += 1

            def work(w: Any, number: int = number) -> None:
                w.execute("update sequencer set last = :last", last=number)
                w.execute(MINE, seq=number, did=DID, frame=b"x" * 2000)

            await db.write(work)

    writing = asyncio.create_task(write())
    for _ in range(5):
        found = await whole(place, tmp_path / "scratch")
        ((_, last, _),) = found["sequencer"]
        assert len(found["events"]) == last
    stop.set()
    await writing
    await db.close()


async def test_cancelled_copy_leaves_no_file(
    places: Callable[[Engine], Place], clock: HandClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A copy that is cancelled leaves no file, because it contains all secrets."""
    here, scratch = places("sqlite"), tmp_path / "scratch"
    await fill(here, clock, rows=1)
    loop, begun, go_on, touch = asyncio.get_running_loop(), asyncio.Event(), threading.Event(), private_file.touch

    def slow(path: Path) -> None:
        loop.call_soon_threadsafe(begun.set)
        go_on.wait()
        touch(path)

    monkeypatch.setattr(private_file, "touch", slow)
    copying = asyncio.create_task(whole(here, scratch))
    await begun.wait()
    copying.cancel()
    await asyncio.sleep(0)
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await copying
    assert list(scratch.iterdir()) == []


async def test_broken_references_leave_nothing(
    places: Callable[[Engine], Place], clock: HandClock, engine: Engine, tmp_path: Path
):
    place = places(engine)
    await migrate(*place, PACKAGE)
    with pytest.raises(ValueError, match="broken reference"):
        async with load_contents(*place) as loading:
            await loading.put("accounts", ("did", "handle", "created_at"), [(DID, "a.test", 1)])
    assert (await whole(place, tmp_path / "scratch"))["accounts"] == []


async def test_migrating_up_to_a_revision(places: Callable[[Engine], Place], engine: Engine, revise: Revise):
    """Migrating up to a given revision works, so that an old backup finds the tables of its time."""
    place = places(engine)
    later = revise(PACKAGE, "create table later (id text primary key)")
    await migrate(*place, PACKAGE, to="0001")
    assert await current_revision(*place, PACKAGE) == "0001"
    await migrate(*place, PACKAGE)
    assert await current_revision(*place, PACKAGE) == later


async def test_an_index_that_an_operator_has_built_before_is_kept(
    places: Callable[[Engine], Place], clock: HandClock, engine: Engine
):
    """As docs/operating.md describes for revision 0007, because no record can be written while it is built."""
    place = places(engine)
    await migrate(*place, PACKAGE, to="0006")
    db = await open_database(place[0], schema=place[1], clock=clock)
    async with db.transaction() as tx:
        await tx.execute(
            "create index records_without_subject on records (collection, did, rkey) where subject is null"
            " and collection in ('app.bsky.feed.like', 'app.bsky.feed.repost', 'app.bsky.graph.follow',"
            " 'app.bsky.graph.block')"
        )
    await db.close()
    await migrate(*place, PACKAGE)
    assert await current_revision(*place, PACKAGE) >= "0007"


def test_tables_come_after_what_they_refer_to():
    tables = in_order({"a": ["x"], "b": ["x"], "c": ["x"]}, [("a", "b"), ("b", "c"), ("b", "b")])
    assert [table.name for table in tables] == ["c", "b", "a"]


async def test_many_rows_in_quick_succession(places: Callable[[Engine], Place], engine: Engine, tmp_path: Path):
    """Many rows in quick succession are read in batches, each on any free thread."""
    place = places(engine)
    await migrate(*place, PACKAGE)
    rows = [(number, DID, "commit", b"x", 5) for number in range(1, 1001)]
    async with load_contents(*place) as loading:
        for batch in range(60):
            shifted = [(number + 1000 * batch, *rest) for number, *rest in rows]
            await loading.put("events", ("seq", "did", "kind", "frame", "sequenced_at"), shifted)
    assert len((await whole(place, tmp_path / "scratch"))["events"]) == 60_000
