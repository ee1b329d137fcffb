"""Chats: what 1,000 open pages hold and how late a word reaches them, how fast people write, and how soon a word is found."""

import asyncio
import random
import statistics
import sys
from collections.abc import Iterator
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
from openmeet.domain.chat.search_terms import person_term, room_term
from openmeet.domain.sign_in.actions import open_session
from openmeet.domain.sign_in.model import SessionTransport
from openmeet.domain.users import actions as users
from openmeet.domain.users.model import Caller
from openmeet.web.site.live_rooms import PER_READER
from tests.bench import stores
from tests.bench.figure import Figure, check
from tests.bench.loop import run
from tests.bench.machine import resident_mb
from tests.bench.timing import percentile, progress
from tests.openmeet.chat.talking import about, room_of
from tests.openmeet.site_under_test import event_by, site_on

STREAMS: Final = 1_000
SAID: Final = 20
ROOMS: Final = 100
WRITERS: Final = 16
WRITTEN: Final = 3_000
STORED: Final = 200_000
ROOMS_STORED: Final = 500
_AT_ONCE: Final = 500
_TIMES = {"starts": "2096-07-04T18:00", "ends": "2096-07-04T20:00"}


def measure() -> Iterator[Figure]:
    held, latest, middle = run(_follow())
    yield Figure(f"{STREAMS:,} open pages of one chat, above none", held, "MB", 60, less_is_better=True)
    note = f"half within {middle * 1000:.0f} ms"
    yield Figure(
        "from the commit to the pages, all but 1 in 100", latest * 1000, "ms", 250, less_is_better=True, note=note
    )
    for rooms, target in ((ROOMS, 300), (1, 50)):
        rate, slowest = run(_write(rooms))
        where = "one chat" if rooms == 1 else f"{rooms} chats"
        yield Figure(f"messages written in {where}, SQLite", rate, "/s", target)
        name = f"  each of them, all but 1 in 100, {WRITERS} at a time"
        yield Figure(name, slowest * 1000, "ms", 80, less_is_better=True)
    for rooms, found in run(_search()).items():
        name = f"a word among {STORED:,} messages, in {'one chat' if rooms == 1 else f'{rooms} chats'}, SQLite"
        yield Figure(name, found * 1000, "ms", 80, less_is_better=True)


async def _town(db: Database, people: int, rooms: int) -> tuple[list[Caller], list[RoomId]]:
    """A host and so many guests, and so many events with a chat that all go to."""
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
            found.append((await room_of(tx, host, about(event))).id)
        for guest in guests:
            async with db.transaction() as tx:
                await attendance.answer(tx, guest, event.slug, RsvpReply.GOING)
    return [host, *guests], found


async def _follow() -> tuple[float, float, float]:
    """Megabytes of the open pages, and seconds from a commit to the slowest percent and to half of them."""
    async with stores.on_sqlite() as db:
        people, (room,) = await _town(db, STREAMS // PER_READER, 1)
        tokens = []
        for one in people[1:]:
            async with db.transaction() as tx:
                tokens.append((await open_session(tx, one.user_id, SessionTransport.BROWSER)).token)
        site = site_on(db, SystemClock(), live_streams=STREAMS, pages_per_minute=0, workers=None)
        serving = await serve(site.app, "127.0.0.1", 0, connections=3 * STREAMS, connections_of_address=2 * STREAMS)
        before = resident_mb()
        progress(f"opening {STREAMS} pages")
        command = [
            sys.executable,
            "-m",
            "tests.bench.chat_readers",
            serving.url,
            room,
            str(SAID),
            str(PER_READER),
            *tokens,
        ]
        readers = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        assert readers.stdout is not None
        check((await readers.stdout.readline()) == b"ready\n", "the pages did not open")
        said_at = []
        for number in range(SAID):
            async with db.transaction() as tx:
                await messages.send(tx, people[0], room, NewMessage(f"Word {number}"))
            said_at.append(monotonic())
            # As people write, not as fast as a machine can.
            await asyncio.sleep(0.5)
        heard = [[float(at) for at in (await readers.stdout.readline()).split()] for _ in range(SAID)]
        held = resident_mb() - before
        await readers.wait()
        await serving.stop()
    check(all(len(each) == STREAMS for each in heard), "some pages missed a message")
    late = [at - said for said, each in zip(said_at, heard, strict=True) for at in each]
    return held, percentile(late, 0.99), statistics.median(late)


async def _write(rooms: int) -> tuple[float, float]:
    """Messages per second, and the seconds that the slowest percent took."""
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
    """Seconds of a search, the median, by the number of chats that are searched."""
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
                    "insert into chat_messages (id, room_id, number, user_id, kind, body, details, revision, said_at, search_words)"
                    " values (:id, :room, :number, :person, 'text', 'The key', '{}', 1, :at, :words)",
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
        check(len(hits.messages) == 50, "a word that is everywhere was not found")
    return found


async def _further_rooms(db: Database, host: Caller, count: int) -> list[RoomId]:
    found = []
    for _ in range(count):
        async with db.transaction() as tx:
            found.append((await room_of(tx, host, about(await event_by(tx, host, **_TIMES)))).id)
    return found
