"""What subscribers get: everything above their cursor, once, in order, also during failures and concurrent writes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import pytest

from at_protocol.sync import events
from aurora_locus.repository.repositories import Repositories
from aurora_locus.sequencer import live_events, queries, retry
from aurora_locus.sequencer.retention import last_expired_number, retire
from aurora_locus.sequencer.subscription import StreamError, parse_cursor
from groundwork.clock import HOUR, HandClock, Instant
from groundwork.database.transaction import Database, DatabaseUnavailable, Reader
from tests.aurora_locus.conftest import assemble
from tests.aurora_locus.hosted_repository import HostedRepository, frames_after
from tests.aurora_locus.sequencer.subscriber import Subscriber
from tests.timeouts import TIMEOUT_SECONDS


async def head(db: Database) -> int:
    return await queries.last_number(db)


async def test_subscriber_without_a_cursor_gets_new_events_only(
    db: Database, repositories: Repositories, ada: HostedRepository
):
    before = await head(db)
    subscriber = Subscriber(repositories)
    await asyncio.sleep(0)
    await ada.create("a")
    await ada.create("b")
    await subscriber.until(before + 2)
    assert subscriber.frames == [frame for _, frame in await frames_after(db, before)]
    await subscriber.end()


async def test_replay_then_live_without_gap_or_duplicate(
    db: Database, repositories: Repositories, ada: HostedRepository
):
    for number in range(30):
        await ada.create(f"old{number}")
    subscriber = Subscriber(repositories, 0)
    await asyncio.gather(*(ada.create(f"new{number}") for number in range(30)))
    await subscriber.until(await head(db))
    assert subscriber.frames == [frame for _, frame in await frames_after(db)]
    await subscriber.end()


async def test_replay_from_the_database_when_the_ring_is_short(db: Database, clock: HandClock, tmp_path: Path):
    """A subscriber far behind a ring of 16 frames gets everything once from the database, while writing goes on."""
    repositories = await assemble(db, clock, tmp_path, ring_frames=16)
    ada = await HostedRepository.make(repositories, "ada")
    for number in range(100):
        await ada.create(f"old{number}")
    subscriber = Subscriber(repositories, 0)

    async def writing() -> None:
        for number in range(60):
            await ada.create(f"new{number}")

    await writing()
    await subscriber.until(await head(db))
    assert subscriber.frames == [frame for _, frame in await frames_after(db)]
    await subscriber.end()


async def test_subscriber_waits_if_everything_above_its_cursor_was_purged(
    db: Database, repositories: Repositories, ada: HostedRepository, monkeypatch: pytest.MonkeyPatch
):
    """A subscriber above whose cursor every event was purged waits for the next one, and does not occupy the server
    meanwhile.
    """
    live, before = repositories.live, await head(db)
    await ada.create("a")
    live.forget(frozenset(live.buffer.numbers()))
    waits = 0
    has_waited = asyncio.Event()
    real_wait = live.wait

    async def wait(position: int) -> None:
        nonlocal waits
        waits += 1
        has_waited.set()
        assert waits < 10, "it does not wait"
        await real_wait(position)

    monkeypatch.setattr(live, "wait", wait)
    subscriber = Subscriber(repositories, before)
    await has_waited.wait()
    await asyncio.sleep(0)
    assert waits == 1
    await ada.create("b")
    await subscriber.until(await head(db))
    assert subscriber.numbers == [await head(db)]
    await subscriber.end()


async def test_twenty_reconnects_lose_and_repeat_nothing(
    db: Database, repositories: Repositories, ada: HostedRepository
):
    """A client that reconnects twenty times with its last number gets every event exactly once."""
    seen: list[int] = []
    begun = await head(db)

    async def writing() -> None:
        for number in range(200):
            await ada.create(f"r{number}")

    task = asyncio.create_task(writing())
    for _ in range(20):
        subscriber = Subscriber(repositories, seen[-1] if seen else begun, stop_after=9)
        with pytest.raises(ConnectionResetError):
            await subscriber.task
        seen += subscriber.numbers
    await task
    last = Subscriber(repositories, seen[-1])
    await last.until(await head(db))
    await last.end()
    assert seen + last.numbers == list(range(begun + 1, begun + 201))


async def test_slow_subscriber_is_disconnected_and_others_continue(db: Database, clock: HandClock, tmp_path: Path):
    repositories = await assemble(db, clock, tmp_path, ring_frames=16)
    ada = await HostedRepository.make(repositories, "ada")
    slow, quick = Subscriber(repositories), Subscriber(repositories)
    await asyncio.sleep(0)
    slow.reads.clear()
    before = await head(db)
    for number in range(40):
        await ada.create(f"r{number}")
        await quick.until(before + number + 1)
    async with asyncio.timeout(TIMEOUT_SECONDS):
        refusal = await slow.task
    assert refusal.error == "ConsumerTooSlow"
    assert len(quick.numbers) == 40
    assert len(repositories.live.listeners) == 1
    await quick.end()


async def test_disconnected_slow_subscriber_can_resume_with_its_cursor(db: Database, clock: HandClock, tmp_path: Path):
    repositories = await assemble(db, clock, tmp_path, ring_frames=4)
    ada = await HostedRepository.make(repositories, "ada")
    for number in range(30):
        await ada.create(f"r{number}")
    subscriber = Subscriber(repositories, 7)
    await subscriber.until(await head(db))
    assert subscriber.numbers == list(range(8, await head(db) + 1))
    await subscriber.end()


async def test_cursor_ahead_of_the_log_is_refused(db: Database, repositories: Repositories, ada: HostedRepository):
    refusal = await Subscriber(repositories, await head(db) + 1).task
    assert refusal.error == "FutureCursor"


async def test_cursor_from_a_process_that_is_ahead_is_accepted(
    db: Database, clock: HandClock, tmp_path: Path, ada: HostedRepository
):
    """A subscriber comes back to another process, which has not yet read the event that the first one sent."""
    behind = await assemble(db, clock, tmp_path)
    await ada.create("a")
    sent = await head(db)
    assert behind.live.buffer.head < sent
    subscriber = Subscriber(behind, sent)
    await asyncio.sleep(0.01)
    assert not subscriber.task.done()
    await ada.create("b")
    behind.live.start_catch_up()
    await subscriber.until(sent + 1)
    assert subscriber.frames == [frame for _, frame in await frames_after(db, sent)]
    await subscriber.end()


async def test_cursor_at_the_head_replays_nothing(db: Database, repositories: Repositories, ada: HostedRepository):
    subscriber = Subscriber(repositories, await head(db))
    await asyncio.sleep(0.01)
    assert subscriber.frames == []
    assert not subscriber.task.done()
    await subscriber.end()


async def test_cursor_zero_on_an_empty_log_is_accepted(repositories: Repositories):
    subscriber = Subscriber(repositories, 0)
    await asyncio.sleep(0.01)
    assert not subscriber.task.done()
    await subscriber.end()


async def test_cursor_older_than_the_window_is_reported(
    db: Database, repositories: Repositories, ada: HostedRepository, clock: HandClock
):
    """A cursor older than the window gets OutdatedCursor and then the whole window. Cursor 0 gets it without the error,
    because it asks for everything available.
    """
    await ada.create("old")
    clock.turn(2 * HOUR)
    await ada.create("new")
    last = await head(db)
    assert await retire(db, Instant(clock.now() - HOUR)) == last - 1
    subscriber = Subscriber(repositories, 1)
    repositories.live.buffer._floor = last  # as after a restart, when the ring is empty
    await subscriber.until(last)
    info = events.read(subscriber.frames[0])
    assert isinstance(info, events.InfoMessage)
    assert info.name == "OutdatedCursor"
    assert subscriber.numbers == [last]
    from_start = Subscriber(repositories, 0)
    await from_start.until(last)
    assert len(from_start.frames) == 1
    await subscriber.end()
    await from_start.end()


async def test_window_applies_at_the_time_of_the_request(
    db: Database, repositories: Repositories, ada: HostedRepository, clock: HandClock
):
    """The window applies at the time of the request: older events are not replayed even if they have not been deleted.
    Cursor 0 starts with the window, without an error.
    """
    await ada.create("old")
    await ada.create("older than an hour")
    clock.turn(2 * HOUR)
    await ada.create("new")
    await ada.create("newer")
    last = await head(db)
    window = clock.now() - HOUR
    for cursor, told, numbers in [
        (1, True, [last - 1, last]),
        (last - 3, True, [last - 1, last]),
        (last - 2, False, [last - 1, last]),
        (last - 1, False, [last]),
        (0, False, [last - 1, last]),
    ]:
        subscriber = Subscriber(repositories, cursor, window_starts_at=window)
        await subscriber.until(last)
        assert isinstance(events.read(subscriber.frames[0]), events.InfoMessage) is told, cursor
        assert subscriber.numbers == numbers, cursor
        await subscriber.end()
    # If all events are older, only new ones are sent.
    late = Subscriber(repositories, 1, window_starts_at=clock.now() + 1)
    await late.has_begun()
    await ada.create("next")
    await late.until(last + 1)
    assert (len(late.frames), late.numbers) == (2, [last + 1])
    await late.end()


@pytest.mark.parametrize("removed", [0, 3, 10])
async def test_start_of_the_window_is_found_despite_gaps(
    db: Database, repositories: Repositories, ada: HostedRepository, clock: HandClock, removed: int
):
    """The start of the window is found although there are gaps in the numbers, left by failed groups and by restored
    backups.
    """
    for number in range(12):
        clock.turn(HOUR)
        await ada.create(str(number))
    await db.write(lambda w: w.execute("delete from events where seq in (5, 8, 9, 10)"))
    await db.write(lambda w: w.execute("update sequencer set retired_up_to = :up_to where id = 1", up_to=removed))
    async with db.reader() as reader:
        rows = await reader.fetch("select seq, sequenced_at from events order by seq")
    for border in [0, *(row["sequenced_at"] + more for row in rows for more in (0, 1))]:
        expected = max([removed, *(row["seq"] for row in rows if row["sequenced_at"] < border)])
        assert await last_expired_number(db, Instant(border)) == expected


async def test_numbers_are_never_used_again_after_retention(
    db: Database, repositories: Repositories, ada: HostedRepository, clock: HandClock
):
    before = await head(db)
    await retire(db, Instant(clock.now() + HOUR))
    assert await frames_after(db) == []
    await ada.create("a")
    assert [number for number, _ in await frames_after(db)] == [before + 1]


class Flickering:
    """A database in which every second read fails, or all of them."""

    def __init__(self, db: Database, *, always: bool = False) -> None:
        self._db = db
        self._always = always
        self._works = True
        self.failures = 0
        self.has_failed = asyncio.Event()

    def __getattr__(self, name: str) -> object:
        return getattr(self._db, name)

    @asynccontextmanager
    async def reader(self) -> AsyncIterator[Reader]:
        self._works = not self._works and not self._always
        if not self._works:
            self.failures += 1
            self.has_failed.set()
            raise DatabaseUnavailable("away")
        async with self._db.reader() as reader:
            yield reader

    def mend(self) -> None:
        self.reader = self._db.reader  # type: ignore[method-assign,assignment]


def flickering(db: Database, *, always: bool = False) -> tuple[Database, Flickering]:
    made = Flickering(db, always=always)
    return cast("Database", made), made


@pytest.fixture
def short_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the waits for a test."""
    monkeypatch.setattr(retry, "FIRST_SECONDS", 0.001)
    monkeypatch.setattr(retry, "LONGEST_SECONDS", 0.002)
    monkeypatch.setattr(retry, "PATIENCE_SECONDS", 0.02)


@pytest.mark.usefixtures("short_retries")
async def test_failing_reads_cause_neither_gap_nor_duplicate(
    db: Database, clock: HandClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """If every second read from the database fails, there is neither a gap nor a duplicate, while writing goes far
    ahead of a short ring.
    """
    monkeypatch.setattr(live_events, "MAX_FRAMES", 7)
    repositories = await assemble(db, clock, tmp_path, ring_frames=16)
    ada = await HostedRepository.make(repositories, "ada")
    for number in range(100):
        await ada.create(f"old{number}")
    away, failing = flickering(db)
    subscriber = Subscriber(repositories, 0, db=away)
    for number in range(60):
        await ada.create(f"new{number}")
    await subscriber.until(await head(db))
    assert failing.failures > 10
    assert subscriber.frames == [frame for _, frame in await frames_after(db)]
    await subscriber.end()


@pytest.mark.usefixtures("short_retries")
async def test_unavailable_database_closes_the_socket(db: Database, clock: HandClock, tmp_path: Path):
    """If the database stays unavailable, the socket is closed with a reason, and the cursor continues later without a
    gap.
    """
    repositories = await assemble(db, clock, tmp_path, ring_frames=4)
    ada = await HostedRepository.make(repositories, "ada")
    for number in range(30):
        await ada.create(f"r{number}")
    away, _ = flickering(db, always=True)
    async with asyncio.timeout(TIMEOUT_SECONDS):
        refusal = await Subscriber(repositories, 3, db=away).task
    assert (refusal.error, refusal.code) == ("NotEnoughResources", 1013)
    assert not repositories.live.listeners
    subscriber = Subscriber(repositories, 3)
    await subscriber.until(await head(db))
    assert subscriber.numbers == list(range(4, await head(db) + 1))
    await subscriber.end()


@pytest.mark.usefixtures("short_retries")
async def test_ring_that_cannot_read_missing_frames_disconnects_subscribers(
    db: Database, repositories: Repositories, ada: HostedRepository
):
    """If the ring cannot read missing frames, live subscribers are disconnected. It reads the frames once the database
    is back, so that those who reconnect miss nothing.
    """
    live = repositories.live
    subscriber = Subscriber(repositories)
    await asyncio.sleep(0)
    before = live.buffer.head
    live._db, failing = flickering(db, always=True)
    announce = live.announce
    held: list[tuple[int, bytes]] = []
    live.announce = lambda seq, frame: held.append((seq, frame))  # type: ignore[method-assign]
    await ada.create("a")
    await ada.create("b")
    announce(*held[1])
    async with asyncio.timeout(TIMEOUT_SECONDS):
        refusal = await subscriber.task
    assert refusal.error == "NotEnoughResources"
    failing.mend()
    again = Subscriber(repositories, before)
    await again.until(before + 2)
    assert again.numbers == [before + 1, before + 2]
    await again.end()


@pytest.mark.parametrize(
    "text", ["abc", "--1", "-", "1.5", " 1", "-9999999999999999", "1e3", "٣", "9" * 17, str(2**53)]
)
def test_invalid_cursors_are_refused(text: str):
    refused = parse_cursor([text])
    assert isinstance(refused, StreamError)
    assert refused.error == "InvalidRequest"


def test_cursors_are_parsed_as_by_the_reference():
    assert parse_cursor([]) is None
    assert parse_cursor([""]) is None
    assert parse_cursor(["0"]) == 0
    assert parse_cursor(["17"]) == 17
    assert parse_cursor(["-17"]) == 0
    assert isinstance(parse_cursor(["17", "17"]), StreamError)


async def test_frames_from_reordered_callbacks_enter_the_ring_in_order(
    db: Database, repositories: Repositories, ada: HostedRepository
):
    """Frames whose callbacks run in the wrong order enter the ring in order: it reads the missing ones from the
    database.
    """
    live = repositories.live
    subscriber = Subscriber(repositories)
    await asyncio.sleep(0)
    before = live.buffer.head
    announced: list[tuple[int, bytes]] = []
    announce = live.announce
    live.announce = lambda seq, frame: announced.append((seq, frame))  # type: ignore[method-assign]
    for number in range(5):
        await ada.create(f"r{number}")
    for seq, frame in reversed(announced):
        announce(seq, frame)
    await subscriber.until(before + 5)
    assert subscriber.numbers == list(range(before + 1, before + 6))
    await subscriber.end()
