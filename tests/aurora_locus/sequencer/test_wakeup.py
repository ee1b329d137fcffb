"""Commits of another process are noticed in order, and the cached data about them is dropped."""

import asyncio
from pathlib import Path

import pytest

from at_protocol.repo import car
from at_protocol.repo.snapshot import read_snapshot
from aurora_locus.repository import export, hosting
from aurora_locus.repository.repositories import Repositories
from aurora_locus.sequencer import live_events, queries, retry
from aurora_locus.settings import SCHEMA
from groundwork.clock import HOUR, HandClock
from groundwork.database.transaction import Database, DatabaseUnavailable
from tests.aurora_locus.conftest import assemble
from tests.aurora_locus.hosted_repository import HostedRepository, frames_after
from tests.aurora_locus.maintenance.conftest import db, place, repositories
from tests.aurora_locus.maintenance.vaults import Place
from tests.timeouts import TIMEOUT_SECONDS

__all__ = ["db", "place", "repositories"]


async def test_commits_of_another_process_are_noticed(
    repositories: Repositories,
    ada: HostedRepository,
    db: Database,
    place: Place,
    clock: HandClock,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    """After a commit of another process, its frames enter the ring, the cached head is read again, and a waiting
    subscriber is notified.
    """
    monkeypatch.setattr(live_events, "LOOK_SECONDS", 0.02)
    other = await assemble(db, clock, tmp_path)
    theirs = HostedRepository(other, ada.did, ada.key)
    await ada.create("mine")
    cached = await other.head(ada.did)
    awake = [
        asyncio.create_task(live_events.run_wakeup(each.live, place.url, SCHEMA)) for each in (repositories, other)
    ]
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            before = repositories.live.buffer.head
            await other.live.wait(before - 1)
            waiting = asyncio.create_task(repositories.live.wait(before))
            await theirs.create("theirs")
            await waiting
            mine = await repositories.head(ada.did)
            assert mine.rev > cached.rev
            await ada.create("mine again")
            await other.live.wait(repositories.live.buffer.head - 1)
            assert (await other.head(ada.did)).rev > mine.rev
    finally:
        for task in awake:
            task.cancel()
        await asyncio.gather(*awake, return_exceptions=True)
        await other.close()
    stored = await frames_after(db)
    assert [frame for frame in stored if frame[0] > before] == repositories.live.buffer.after(before, 100, 1_000_000)


async def test_export_of_one_process_survives_commits_of_another(
    repositories: Repositories,
    ada: HostedRepository,
    db: Database,
    clock: HandClock,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    """An export in one process keeps its root during commits of another, and nothing of it is left afterwards. The pin
    of a dead process is removed. On SQLite the other process is an operator's command.
    """
    for name, small in {"_FIRST_BYTES": 0, "_BATCH": 10, "_CHUNK_BYTES": 500}.items():  # read nothing ahead
        monkeypatch.setattr(export, name, small)
    theirs, other = ada, repositories
    base = await assemble(db, clock, tmp_path)
    mine = Repositories(
        db, base.live, base.keys, base.blobs, clock, clock_id=9, node_cache_bytes=1 << 20, pins_exports=True
    )
    for number in range(90):
        await ada.create(f"k{number:03}")
    chunks = export.export(mine, ada.did)
    first = await anext(chunks)
    other.forget_head(ada.did)
    for number in range(0, 90, 3):
        await theirs.delete(f"k{number:03}")
    data = first + b"".join([chunk async for chunk in chunks])
    assert len(read_snapshot(car.read(data)).entries) == 90
    assert await unused(db) == 0

    dead = export.export(mine, ada.did)
    await anext(dead)
    await theirs.delete("k001")
    assert await unused(db) > 0
    await other.keep_exports()
    assert await unused(db) > 0
    clock.turn(2 * HOUR)
    await other.keep_exports()
    assert await unused(db) == 0
    await dead.aclose()  # type: ignore[attr-defined]  # what it is besides its contract


async def unused(db: Database) -> int:
    async with db.reader() as reader:
        row = await reader.fetch_one("select count(*) from blocks where uses = 0")
    assert row is not None
    return int(row[0])


async def test_deletion_by_another_process_drops_earlier_events(
    repositories: Repositories,
    ada: HostedRepository,
    ben: HostedRepository,
    db: Database,
    clock: HandClock,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    """After another process deleted an account, neither process sends its earlier events, even if the database is away
    for long in between.
    """
    stored_numbers, failures = queries.numbers, [DatabaseUnavailable("away")] * 2

    async def numbers(database: Database, after: int, up_to: int) -> set[int]:
        if failures:
            raise failures.pop()
        return await stored_numbers(database, after, up_to)

    monkeypatch.setattr(queries, "numbers", numbers)
    monkeypatch.setattr(retry, "PATIENCE_SECONDS", 0.0)
    other = await assemble(db, clock, tmp_path)
    await ada.create("mine")
    await ben.create("his")
    before = repositories.live.buffer.head
    await db.write(lambda w: hosting.remove(w, other, ada.did))
    repositories.live.start_catch_up()
    async with asyncio.timeout(TIMEOUT_SECONDS):
        await repositories.live.wait(before)
        while repositories.live._catching_up is not None:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)
    assert not failures
    assert repositories.live.buffer.after(repositories.live.buffer.floor, 100, 1_000_000) == await frames_after(db)


async def test_closed_listener_reads_no_more(
    repositories: Repositories, ada: HostedRepository, db: Database, clock: HandClock, tmp_path: Path
):
    """A closed listener reads no more, so that the database can be closed even if a notification arrives later."""
    other = await assemble(db, clock, tmp_path)
    before = other.live.buffer.head
    await ada.create("mine")
    other.live.start_catch_up()
    (reading,) = (task for task in asyncio.all_tasks() if task is other.live._catching_up)
    await other.close()
    assert reading.done()
    other.live.start_catch_up()
    other.live.announce(repositories.live.buffer.head + 10, b"")
    assert other.live._catching_up is None
    assert other.live.buffer.head == before
