"""Items of scheduled tasks that fail are tried again ever more rarely, and operators see them. On both engines."""

from collections.abc import Sequence

import pytest

from groundwork import failed_items
from groundwork.clock import DAY, HOUR, SECOND, HandClock
from groundwork.database.transaction import Database
from groundwork.errors import Unavailable
from groundwork.failed_items import REPEATED
from groundwork.isolation import Position, due_in_groups, each_with_backoff
from openmeet.domain.events import draft_queries, drafts
from openmeet.domain.events.rules import Submission
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import person

FULL = Submission(title="Board games", starts="2026-07-04T18:00", time_zone="Europe/Berlin")
TASK, EVERY = "a task", 30 * SECOND


class Worker:
    """Work that fails for some items, and notes what it was called for."""

    def __init__(self, *broken: str) -> None:
        self.broken, self.called = set(broken), list[str]()

    async def __call__(self, item: str) -> int:
        self.called.append(item)
        if item in self.broken:
            raise Unavailable("not now")
        return 1


@pytest.fixture
async def db(make_database: MakeDatabase, clock: HandClock) -> Database:
    return await make_database("openmeet", clock=clock)


async def test_a_broken_item_is_not_tried_in_every_round(db: Database, clock: HandClock) -> None:
    """It takes no time from the others. After the longest back-off it is still tried once an hour."""
    work = Worker("b")
    for _ in range(2 * HOUR // EVERY):
        assert await each_with_backoff(db, TASK, ["a", "b", "c"], work) == 2
        clock.turn(EVERY)
    assert work.called.count("a") == work.called.count("c") == 240
    assert 8 <= work.called.count("b") <= 14
    before = work.called.count("b")
    for _ in range(24):
        clock.turn(HOUR)
        await each_with_backoff(db, TASK, ["b"], work)
    assert work.called.count("b") == before + 24


async def test_an_item_that_succeeds_starts_anew(db: Database, clock: HandClock) -> None:
    work = Worker("b")
    for _ in range(REPEATED):
        clock.turn(HOUR)
        async with db.reader() as reader:
            assert await failed_items.counts(reader) == {}, "once or twice is no problem yet"
        await each_with_backoff(db, TASK, ["b"], work)
    async with db.reader() as reader:
        assert await failed_items.counts(reader) == {TASK: 1}
    work.broken.clear()
    clock.turn(HOUR)
    assert await each_with_backoff(db, TASK, ["b"], work) == 1
    async with db.reader() as reader:
        assert await failed_items.counts(reader) == {}
        assert await failed_items.find(reader, TASK, ["b"]) == {}


async def test_a_broken_item_leaves_its_group(db: Database) -> None:
    """The others are done alone in the same round, and together in the next one."""
    due, called = [(0, name) for name in "abcde"], list[list[str]]()

    async def next_page(after: Position) -> list[tuple[int, str]]:
        return [item for item in due if item > after]

    async def work(group: Sequence[str]) -> int:
        called.append(list(group))
        if "b" in group:
            raise Unavailable("not now")
        return len(group)

    assert await due_in_groups(db, TASK, next_page, work, size=3) == 4
    assert called == [["a", "b", "c"], ["a"], ["b"], ["c"], ["d", "e"]]
    called.clear()
    assert await due_in_groups(db, TASK, next_page, work, size=3) == 4
    assert called == [["a", "c"], ["d", "e"]], "b is not due yet"


async def test_items_of_other_tasks_are_tried(db: Database) -> None:
    work = Worker("b")
    for task in (TASK, "another task"):
        await each_with_backoff(db, task, ["b"], work)
    assert work.called == ["b", "b"]


async def test_rows_of_items_that_are_no_longer_due_are_deleted(db: Database, clock: HandClock) -> None:
    await each_with_backoff(db, TASK, ["b"], Worker("b"))
    for waits, deleted in ((HOUR, 0), (DAY, 1)):
        clock.turn(waits)
        async with db.transaction() as tx:
            assert await failed_items.forget_undue(tx) == deleted


async def test_a_broken_draft_waits_and_is_published_once_it_is_mended(db: Database, clock: HandClock) -> None:
    """Its stored form cannot be read at first."""
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        draft = await drafts.begin(tx, ana, FULL, {})
        await drafts.keep(tx, ana, draft.slug, FULL, {}, publish_at=tx.now + HOUR)
        whole = await draft_queries.fields(tx, draft.id)
        await draft_queries.put_fields(tx, draft.id, "{")
    clock.turn(HOUR)
    for _ in range(HOUR // EVERY):
        assert await drafts.publish_due(db) == 0
        clock.turn(EVERY)
    async with db.transaction() as tx:
        assert 6 <= (await failed_items.find(tx, "scheduled_events", [draft.id]))[draft.id].attempts <= 12
        await draft_queries.put_fields(tx, draft.id, whole)
    clock.turn(HOUR)
    assert await drafts.publish_due(db) == 1
