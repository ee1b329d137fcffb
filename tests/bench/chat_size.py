"""Chats of a large community: a person's list of rooms, a room of thousands, its members and searches, among millions
of messages.

``OPENMEET_BENCH_CHAT_SIZE``: the size as a fraction of the full size, which is 100,000 rooms with 10 million messages;
by default a hundredth. The full size takes about 9 GB in the folder for temporary files.
"""

import asyncio
import os
import sqlite3
import statistics
from collections.abc import Iterator
from contextlib import closing
from time import perf_counter, process_time
from typing import Final

import httpx

from groundwork.clock import SystemClock
from groundwork.database.transaction import Database
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.chat.model import Room
from openmeet.domain.events.model import Event
from openmeet.domain.sign_in.actions import open_session
from openmeet.domain.sign_in.model import SessionTransport
from openmeet.domain.users import actions as users
from openmeet.domain.users.model import Caller
from tests.bench import stores
from tests.bench.figure import Figure, check
from tests.bench.loop import run
from tests.bench.timing import progress
from tests.openmeet.chat.rooms import room_of, send_text, subject_of_event
from tests.openmeet.site_under_test import event_by, signed_in, site_on

VARIABLE: Final = "OPENMEET_BENCH_CHAT_SIZE"
ROOMS: Final = 100_000
MESSAGES: Final = 10_000_000
IN_THE_ROOM: Final = 5_000
# One message in a hundred is in the large room.
_SHARE: Final = 100
# Number of rooms of the person who reads.
_OWN_ROOMS: Final = 200
_WORDS: Final = 20_000
_AT_ONCE: Final = 200_000
_ROUNDS: Final = 30
_TARGET_MS: Final = 80
_NUMBERS: Final = "with recursive n(i) as (select {first} union all select i + 1 from n where i < {last})"


def measure() -> Iterator[Figure]:
    size = float(os.environ.get(VARIABLE, "0.01"))
    rooms, count = max(_OWN_ROOMS, int(ROOMS * size)), int(MESSAGES * size)
    for name, (taken, computed) in run(_measure(rooms, count)).items():
        note = f"{computed * 1000:.1f} ms of processor time"
        what = f"{name}, {rooms:,} rooms, {count:,} messages, SQLite"
        yield Figure(what, taken * 1000, "ms", _TARGET_MS, less_is_better=True, note=note)


async def _measure(rooms: int, count: int) -> dict[str, tuple[float, float]]:
    async with stores.on_sqlite() as db:
        ben, event, room, file = await _originals(db)
        with closing(sqlite3.connect(file, isolation_level=None)) as connection:
            connection.execute("pragma synchronous = off")
            _copy(connection, ben, event, room, rooms, count)
        site = site_on(db, SystemClock(), pages_per_minute=0, workers=None)
        path = f"/events/{event.slug}/chat"
        middle = count // _SHARE // 2
        pages = {
            "the list of one’s chats": "/chat",
            f"a chat of {IN_THE_ROOM:,} people": path,
            "its messages around one in the middle": f"{path}?around={middle}",
            "a word in it": f"{path}?q=word77",
            "its people": f"{path}/people",
            "a word in all of one’s chats": "/api/chat/search?q=word77",
        }
        found = {}
        async with db.transaction() as tx:
            token = (await open_session(tx, ben.user_id, SessionTransport.API)).token
        async with signed_in(site, ben.user_id) as browser:
            for name, where in pages.items():
                progress(name)
                found[name] = await _times(
                    browser, where, {"authorization": f"Bearer {token}"} if "/api/" in where else {}
                )
            shown = (await browser.get(path)).text
        check("Copied" in shown, "the page does not show the messages")
    return found


async def _times(browser: httpx.AsyncClient, path: str, headers: dict[str, str]) -> tuple[float, float]:
    """Medians of wall-clock seconds and of processor seconds."""
    taken, computed = [], []
    for number in range(_ROUNDS):
        begun, used = perf_counter(), process_time()
        answer = await browser.get(path, headers=headers)
        taken.append(perf_counter() - begun)
        computed.append(process_time() - used)
        check(answer.status_code == 200, f"{path} was answered with {answer.status_code}, round {number}")
        await asyncio.sleep(0)
    return statistics.median(taken), statistics.median(computed)


async def _originals(db: Database) -> tuple[Caller, Event, Room, str]:
    """Rows made by the real code, to be copied: two people, an event, an answer, a room with a message."""
    async with db.transaction() as tx:
        host = Caller(await users.create_person(tx, display_name="Ana"), "Ana")
        guest = Caller(await users.create_person(tx, display_name="Ben"), "Ben")
        event = await event_by(tx, host, starts="2096-07-04T18:00", ends="2096-07-04T20:00")
        await attendance.answer(tx, guest, event.slug, RsvpReply.GOING)
        room = await room_of(tx, host, subject_of_event(event))
        await send_text(tx, guest, room, "Copied")
        (place,) = await tx.fetch("pragma database_list")
    return guest, event, room, str(place["file"])


def _copy(connection: sqlite3.Connection, ben: Caller, event: Event, room: Room, rooms: int, count: int) -> None:
    progress(f"making {rooms:,} rooms")
    _copies(connection, "users", f"id = '{ben.user_id}'", IN_THE_ROOM, {"id": "'u' || n.i", "email": "null"})
    changed = {"id": "'e' || n.i", "slug": "'e' || n.i"}
    for column in ("record_uri", "record_cid", "uid", "external_id"):
        changed[column] = "null"
    _copies(connection, "events", f"id = '{event.id}'", rooms, changed)
    changed = {"id": "'room' || n.i", "event_id": "'e' || n.i", "last_number": str(count // rooms + 1)}
    _copies(connection, "chat_rooms", f"id = '{room.id}'", rooms, changed)
    one = f"user_id = '{ben.user_id}' and event_id = '{event.id}'"
    changed = {"id": "'a' || n.i", "user_id": "'u' || n.i", "record_uri": "null"}
    _copies(connection, "attendances", one, IN_THE_ROOM, changed)
    changed = {"id": "'b' || n.i", "event_id": "'e' || n.i", "record_uri": "null"}
    _copies(connection, "attendances", one, _OWN_ROOMS, changed)
    connection.execute("delete from chat_access_changes")
    for in_one in (True, False):
        last = count // _SHARE if in_one else count - count // _SHARE
        where = f"'{room.id}'" if in_one else f"'room' || (n.i % {rooms} + 1)"
        number = "n.i + 10" if in_one else f"n.i / {rooms} + 2"
        term = f"'{str(room.id).replace('-', '')}'" if in_one else f"'room' || (n.i % {rooms} + 1)"
        writer = f"'u' || (n.i % {IN_THE_ROOM} + 1)"
        prefix = "c" if in_one else "m"
        changed = {
            "id": f"'{prefix}' || n.i", "room_id": where, "number": number, "user_id": writer, "client_id": "null",
            "said_at": f"o.said_at - ({last} - n.i) * 1000000",
            "search_words": f"' copied word' || (abs(random()) % {_WORDS}) || ' r=' || {term} || ' p=' || {writer} || ' '",
        }  # fmt: skip
        entry = {"room_id": where, "number": number, "message_id": f"'{prefix}' || n.i"}
        for first in range(1, last + 1, _AT_ONCE):
            progress(f"storing messages: {first:,} of {last:,}")
            until = min(first + _AT_ONCE - 1, last)
            _copies(
                connection,
                "chat_messages",
                "user_id is not null and body = 'Copied' and number < 10",
                until,
                changed,
                first,
            )
            _copies(
                connection, "chat_log", f"kind = 'said' and room_id = '{room.id}' and number < 10", until, entry, first
            )
    connection.execute("update chat_rooms set last_number = ? where id = ?", (count // _SHARE + 10, room.id))
    progress("analysing")
    connection.execute("analyze")
    connection.execute("pragma wal_checkpoint(truncate)")


def _copies(
    connection: sqlite3.Connection, table: str, one: str, last: int, changed: dict[str, str], first: int = 1
) -> None:
    """Copy a row, numbered from ``first`` to ``last``. ``changed``: SQL of the columns in which the copies differ."""
    columns = [row[1] for row in connection.execute(f"pragma table_info({table})")]
    selected = ", ".join(changed.get(column, f"o.{column}") for column in columns)
    connection.execute(
        f"insert into {table} ({', '.join(columns)}) {_NUMBERS.format(first=first, last=last)}"
        f" select {selected} from n, (select * from {table} where {one} limit 1) o"
    )
