"""Pages of the log are limited in bytes, however large the frames are and however many subscribers read."""

import asyncio
from pathlib import Path

import pytest

from aurora_locus.repository.repositories import Repositories
from aurora_locus.sequencer import queries
from aurora_locus.sequencer.live_events import MAX_FRAMES, MAX_PAGE_BYTES, Page, PageBudget
from groundwork.clock import HandClock
from groundwork.database.transaction import Database
from tests.aurora_locus.conftest import assemble
from tests.aurora_locus.hosted_repository import HostedRepository, frames_after
from tests.aurora_locus.sequencer.subscriber import Subscriber

LARGE = "x" * 100_000


def size_of(page: Page) -> int:
    return sum(len(frame) for _, frame in page)


async def test_page_has_at_most_so_many_bytes_but_at_least_one_frame(db: Database, ada: HostedRepository) -> None:
    before = await queries.last_number(db)
    for number in range(8):
        await ada.create(f"r{number}", LARGE if number == 4 else "small")
    frames = await frames_after(db, before)
    sizes = [len(frame) for _, frame in frames]
    assert await queries.page(db, before, 1000, max_bytes=sum(sizes[:3])) == frames[:3]
    assert await queries.page(db, before, 1000, max_bytes=sum(sizes[:3]) - 1) == frames[:2]
    assert await queries.page(db, before, 1000, max_bytes=50_000) == frames[:4]
    assert await queries.page(db, frames[3][0], 1000, max_bytes=50_000) == frames[4:5]
    assert await queries.page(db, before, 2) == frames[:2]
    assert await queries.page(db, frames[-1][0], 1000) == []
    with_accounts = await queries.page_with_accounts(db, before, 1000)
    assert with_accounts == [(seq, ada.did, frame) for seq, frame in frames]


async def test_ring_catches_up_in_pages_limited_in_bytes(
    db: Database, ada: HostedRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await queries.last_number(db)
    for number in range(3):
        await ada.create(f"r{number}", LARGE)
    monkeypatch.setattr(queries, "MAX_PAGE_BYTES", 150_000)
    assert len(await queries.page_with_accounts(db, before, 1000)) == 1


async def test_pages_become_smaller_while_many_are_in_memory(db: Database, ada: HostedRepository) -> None:
    for number in range(60):
        await ada.create(f"r{number}", LARGE)
    budget = PageBudget(8_000_000)
    page = await budget.read(db, 0)
    assert 1_500_000 < size_of(page) <= MAX_PAGE_BYTES
    with budget.held(page), budget.held(page), budget.held(page):
        smaller = await budget.read(db, 0)
        assert 0 < size_of(smaller) < size_of(page) / 2
        with budget.held(page), budget.held(page):
            assert len([frame for _, frame in await budget.read(db, 0) if len(frame) > len(LARGE)]) <= 1
    assert await budget.read(db, 0) == page


async def test_slow_subscribers_hold_a_bounded_amount_together(db: Database, clock: HandClock, tmp_path: Path) -> None:
    """Subscribers that do not read hold no more than the budget and a smallest page each. All get every event."""
    repositories = await assemble(db, clock, tmp_path, ring_frames=16)
    ada = await HostedRepository.make(repositories, "ada")
    for number in range(60):
        await ada.create(f"r{number}", LARGE)
    held = Held(4_000_000)
    repositories.live.pages = held
    subscribers = [Subscriber(repositories, 0) for _ in range(40)]
    for one in subscribers:
        one.reads.clear()
    while held.reads < 40:
        await held.has_read.wait()
    assert held.most <= 4_000_000 + 40 * (64 * 1024 + len(LARGE) + 5_000)
    for one in subscribers:
        one.reads.set()
    for one in subscribers:
        await one.until(await queries.last_number(db))
        assert one.frames == [frame for _, frame in await frames_after(db)]
        await one.end()


async def test_few_pages_are_read_at_a_time(
    db: Database, repositories: Repositories, ada: HostedRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many subscribers are behind, other requests find a free connection to the database."""
    await ada.create("a")
    reading = most = 0
    read = queries.page

    async def page(db: Database, position: int, limit: int, *, max_bytes: int) -> list[tuple[int, bytes]]:
        nonlocal reading, most
        reading += 1
        most = max(most, reading)
        found = await read(db, position, limit, max_bytes=max_bytes)
        reading -= 1
        return found

    monkeypatch.setattr(queries, "page", page)
    pages = await asyncio.gather(*(repositories.live.pages.read(db, 0) for _ in range(20)))
    assert most == 2
    assert len(pages) == 20
    assert all(0 < len(found) < MAX_FRAMES for found in pages)


class Held(PageBudget):
    """Counts what is read and not yet sent."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__(max_bytes)
        self._all = max_bytes
        self.reads = 0
        self.most = 0
        self.has_read = asyncio.Event()

    async def read(self, db: Database, position: int) -> Page:
        page = await super().read(db, position)
        self.reads += 1
        self.most = max(self.most, self._all - self.memory.left + size_of(page))
        self.has_read.set()
        self.has_read = asyncio.Event()
        return page
