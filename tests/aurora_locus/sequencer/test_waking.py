"""What another process appends is heard of, in order, and what is kept in memory of it is forgotten."""

import asyncio
from pathlib import Path

import pytest

from aurora_locus.maintenance.manifest import SCHEMA
from aurora_locus.repository.repositories import Repositories
from aurora_locus.sequencer import waking
from groundwork.clock import HandClock
from groundwork.database.transaction import Database
from tests.aurora_locus.conftest import assemble
from tests.aurora_locus.hosted import Hosted, frames_after
from tests.aurora_locus.maintenance.conftest import db, place, repositories
from tests.aurora_locus.maintenance.vaults import Place

__all__ = ["db", "place", "repositories"]


async def test_another_process_is_heard(
    repositories: Repositories,
    ada: Hosted,
    db: Database,
    place: Place,
    clock: HandClock,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    """Its frames enter the ring, the head that was cached is read anew, and a subscriber that waited is woken."""
    monkeypatch.setattr(waking, "LOOK_SECONDS", 0.02)
    other = await assemble(db, clock, tmp_path)
    theirs = Hosted(other, ada.did, ada.key)
    await ada.create("mine")
    cached = await other.head(ada.did)
    awake = [asyncio.create_task(waking.keep_awake(each.live, place.url, SCHEMA)) for each in (repositories, other)]
    try:
        async with asyncio.timeout(20):
            before = repositories.live.ring.head
            await other.live.wait(before - 1)
            waiting = asyncio.create_task(repositories.live.wait(before))
            await theirs.create("theirs")
            await waiting
            mine = await repositories.head(ada.did)
            assert mine.rev > cached.rev
            await ada.create("mine again")
            await other.live.wait(repositories.live.ring.head - 1)
            assert (await other.head(ada.did)).rev > mine.rev
    finally:
        for task in awake:
            task.cancel()
        await asyncio.gather(*awake, return_exceptions=True)
    stored = await frames_after(db)
    assert [frame for frame in stored if frame[0] > before] == repositories.live.ring.after(before, 100)
