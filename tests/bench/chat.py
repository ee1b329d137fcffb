"""Chats: memory of 1,000 open pages and the delay until a message reaches them, messages per second, and the speed of
searches.
"""

import asyncio
import random
import statistics
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Iterator, Sequence
from time import monotonic, perf_counter
from typing import Final

from groundwork.clock import MINUTE, SystemClock
from groundwork.database.transaction import Database
from groundwork.http.server import serve
from groundwork.uuid7 import new_id
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.chat import messages, search
from openmeet.domain.chat.model import NewMessage, RoomId
from openmeet.domain.chat.texts import person_term, room_term
from openmeet.domain.sign_in.actions import open_session
from openmeet.domain.sign_in.model import SessionTransport
from openmeet.domain.users import actions as users
from openmeet.domain.users.model import Caller
from openmeet.web.site.server_sent_events import PER_READER
from programs.running import collect_garbage_rarely
from tests.bench import stores
from tests.bench.figure import Figure, check
from tests.bench.loop import run
from tests.bench.machine import resident_mb
from tests.bench.timing import percentile, progress
from tests.databases import SERVER
from tests.openmeet.chat.rooms import room_of, subject_of_event
from tests.openmeet.site_under_test import event_by, site_on

STREAMS: Final = 1_000
SAID: Final = 20
ROOMS: Final = 100
WRITERS: Final = 16
WRITTEN: Final = 3_000
STORED: Final = 200_000
ROOMS_STORED: Final = 500
_AT_ONCE: Final = 500
_SCHEMA: Final = "openmeet_bench_chat"
_TIMES = {"starts": "2096-07-04T18:00", "ends": "2096-07-04T20:00"}


def measure() -> Iterator[Figure]:
    held, latest, middle = run(_follow())
    yield Figure(f"{STREAMS:,} open pages of one chat, memory added", held, "MB", 60, less_is_better=True)
    note = f"half within {middle * 1000:.0f} ms"
    yield Figure("from the commit to the pages, p99", latest * 1000, "ms", 250, less_is_better=True, note=note)
    latest, middle = run(_follow_two())
    note = f"half within {middle * 1000:.0f} ms"
    name = "  the same with two web processes, PostgreSQL"
    yield Figure(name, latest * 1000, "ms", 250, less_is_better=True, note=note)
    for rooms, target in ((ROOMS, 300), (1, 50)):
        rate, slowest = run(_write(rooms))
        where = "one chat" if rooms == 1 else f"{rooms} chats"
        yield Figure(f"messages written in {where}, SQLite", rate, "/s", target)
        name = f"  each of them, p99, {WRITERS} at a time"
        yield Figure(name, slowest * 1000, "ms", 80, less_is_better=True)
    for rooms, found in run(_search()).items():
        name = f"a word among {STORED:,} messages, in {'one chat' if rooms == 1 else f'{rooms} chats'}, SQLite"
        yield Figure(name, found * 1000, "ms", 80, less_is_better=True)


async def _town(db: Database, people: int, rooms: int) -> tuple[list[Caller], list[RoomId]]:
    """A host, a number of guests, and events with a chat that all of them attend."""
    async with db.transaction() as tx:
        host = Caller(await users.create_person(tx, display_name="Ana"), "Ana")
    guests: list[Caller] = []
    for number in range(people):
        async with db.transaction() as tx:
            guests.append(Caller(await users.create_person(tx, display_name=f"Guest {number}"), f"Guest {number}"))
    found = []
    for _ in range(rooms):
        async with db.transaction() as tx:
            event = await event_by(tx, host, **_TIMES)
            found.append((await room_of(tx, host, subject_of_event(event))).id)
        for guest in guests:
            async with db.transaction() as tx:
                await attendance.answer(tx, guest, event.slug, RsvpReply.GOING)
    return [host, *guests], found


async def _follow() -> tuple[float, float, float]:
    """The memory of the open pages in megabytes, and the seconds from a commit until 99 % and until half of the pages
    have the message.
    """
    async with stores.on_sqlite() as db:
        people, (room,) = await _town(db, STREAMS // PER_READER, 1)
        tokens = await _tokens(db, people[1:])
        site = site_on(db, SystemClock(), live_streams=STREAMS, pages_per_minute=0, workers=None)
        # As the program does. Otherwise the collector sometimes blocks the loop for a tenth of a second.
        collect_garbage_rarely()
        serving = await serve(site.app, "127.0.0.1", 0, connections=3 * STREAMS, connections_of_address=2 * STREAMS)
        before = resident_mb()
        progress(f"opening {STREAMS} pages")
        readers = await _readers(serving.url, room, tokens)
        late = await _lateness(db, people[0], room, [readers])
        held = resident_mb() - before
        await serving.stop()
    return held, percentile(late, 0.99), statistics.median(late)


async def _follow_two() -> tuple[float, float]:
    """The same delays if half of the pages are open in another process, on PostgreSQL."""
    async with stores.on_postgresql(_SCHEMA) as db:
        people, (room,) = await _town(db, STREAMS // PER_READER, 1)
        tokens = await _tokens(db, people[1:])
        changes = {"database_url": SERVER, "database_schema": _SCHEMA}
        site = site_on(db, SystemClock(), live_streams=STREAMS, pages_per_minute=0, workers=None, **changes)
        collect_garbage_rarely()
        serving = await serve(site.app, "127.0.0.1", 0, connections=3 * STREAMS, connections_of_address=2 * STREAMS)
        command = [sys.executable, "-m", "tests.bench.chat_server", _SCHEMA, str(STREAMS)]
        other = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)
        assert other.stdout is not None
        assert other.stdin is not None
        url = (await other.stdout.readline()).decode().strip()
        progress(f"opening {STREAMS} pages at two processes")
        half = len(tokens) // 2
        readers = [await _readers(serving.url, room, tokens[:half]), await _readers(url, room, tokens[half:])]
        late = await _lateness(db, people[0], room, readers)
        other.stdin.close()
        await other.wait()
        await serving.stop()
    return percentile(late, 0.99), statistics.median(late)


async def _tokens(db: Database, people: Sequence[Caller]) -> list[str]:
    tokens = []
    for one in people:
        async with db.transaction() as tx:
            tokens.append((await open_session(tx, one.user_id, SessionTransport.BROWSER)).token)
    return tokens


async def _readers(url: str, room: RoomId, tokens: Sequence[str]) -> Process:
    """A process with all its pages open."""
    command = [sys.executable, "-m", "tests.bench.chat_readers", url, room, str(SAID), str(PER_READER), *tokens]
    readers = await asyncio.create_subprocess_exec(*command, stdout=PIPE, limit=2**22)
    assert readers.stdout is not None
    check((await readers.stdout.readline()) == b"ready\n", "the pages did not open")
    return readers


async def _lateness(db: Database, host: Caller, room: RoomId, readers: Sequence[Process]) -> list[float]:
    """Seconds from each commit to each page."""
    said_at = []
    for number in range(SAID):
        async with db.transaction() as tx:
            await messages.send(tx, host, room, NewMessage(f"Word {number}"))
        said_at.append(monotonic())
        # At the pace of people, not as fast as the machine can.
        await asyncio.sleep(0.5)
    late = []
    for process in readers:
        assert process.stdout is not None
        for said in said_at:
            late += [float(at) - said for at in (await process.stdout.readline()).split()]
        await process.wait()
    check(len(late) == STREAMS * SAID, "some pages missed a message")
    return late


async def _write(rooms: int) -> tuple[float, float]:
    """Messages per second, and the 99th percentile of their durations in seconds."""
    dice = random.Random(1)
    async with stores.on_sqlite() as db:
        people, found = await _town(db, 4, rooms)
        left, taken = iter(range(WRITTEN)), []

        async def write() -> None:
            for number in left:
                begun = perf_counter()
                async with db.transaction() as tx:
                    await messages.send(tx, dice.choice(people), dice.choice(found), NewMessage(f"Word {number}"))
                taken.append(perf_counter() - begun)

        progress(f"writing {WRITTEN} messages")
        begun = perf_counter()
        await asyncio.gather(*(write() for _ in range(WRITERS)))
        seconds = perf_counter() - begun
    check(len(taken) == WRITTEN, "some messages were not written")
    return WRITTEN / seconds, percentile(taken, 0.99)


async def _search() -> dict[int, float]:
    """The median duration of a search in seconds, by the number of chats that are searched."""
    dice = random.Random(1)
    async with stores.on_sqlite() as db:
        people, rooms = await _town(db, 1, 1)
        rooms += await _further_rooms(db, people[0], ROOMS_STORED - 1)
        progress(f"storing {STORED} messages")
        numbers = dict.fromkeys(rooms, 10)
        for _ in range(0, STORED, _AT_ONCE):
            async with db.transaction() as tx:
                rows = []
                for _ in range(_AT_ONCE):
                    room = dice.choice(rooms)
                    numbers[room] += 1
                    words = f" word{dice.randrange(20_000)} key {room_term(room)} {person_term(people[0].user_id)} "
                    rows.append(
                        {
                            "id": new_id(tx.now),
                            "room": room,
                            "number": numbers[room],
                            "person": people[0].user_id,
                            "at": tx.now - dice.randrange(10**6) * MINUTE,
                            "words": words,
                        }
                    )
                await tx.execute_many(
                    "insert into chat_messages (id, room_id, number, user_id, kind, body, details, revision, "
                    "said_at, search_words) values (:id, :room, :number, :person, 'text', 'The key', '{}', 1, :at, "
                    ":words)",
                    rows,
                )
        found = {}
        for count in (1, 40):
            taken = []
            for _ in range(30):
                wanted = search.ChatSearch(
                    words=f"word{dice.randrange(1_000, 2_000)}", rooms=tuple(dice.sample(rooms, count))
                )
                begun = perf_counter()
                async with db.reader() as reader:
                    await search.find_messages(reader, people[0].user_id, wanted, limit=50)
                taken.append(perf_counter() - begun)
            found[count] = statistics.median(taken)
        async with db.reader() as reader:
            everywhere = search.ChatSearch(words="key", rooms=(rooms[0],))
            hits = await search.find_messages(reader, people[0].user_id, everywhere, limit=50)
        check(len(hits.messages) == 50, "a word that every message contains was not found")
    return found


async def _further_rooms(db: Database, host: Caller, count: int) -> list[RoomId]:
    found = []
    for _ in range(count):
        async with db.transaction() as tx:
            found.append((await room_of(tx, host, subject_of_event(await event_by(tx, host, **_TIMES)))).id)
    return found
