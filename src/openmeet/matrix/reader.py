"""Reader of the homeserver: runs the bot's /sync, applies the events to our rooms, and stores the cursor in the same
transaction.

Only one process of a community reads at a time, elected by a lease on the cursor's row. Each event is applied once, by
its id. If the sender does not have the right to make this change here, a job reverts the change on Matrix. Events that
cannot be parsed are skipped.
"""

import asyncio
import re
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from groundwork.clock import SECOND, Instant
from groundwork.database.transaction import Transaction
from groundwork.errors import Failure, RemoteFailed, TooMany
from groundwork.http.client import ResponseTooLarge
from groundwork.outbox import jobs
from groundwork.outbox.dispatcher import idle
from groundwork.telemetry.logs import log
from openmeet.domain.chat import matrix_guests, matrix_people, mirroring
from openmeet.domain.chat.log import wake_mirror
from openmeet.domain.chat.model import RoomId
from openmeet.matrix import content, store
from openmeet.matrix.bridge import Bridge
from openmeet.matrix.calls import JsonObject, events_of
from openmeet.matrix.incoming import apply
from openmeet.matrix.names import is_room_id
from openmeet.matrix.store import SyncCursor
from openmeet.outbox.kinds import JobKind

_WAIT_SECONDS: Final = 20.0
# Longer than a /sync can take, including the processing of its response.
_LEASE_SECONDS: Final = 120
_NOT_ELECTED_SECONDS: Final = 5.0
_ACCESS_SECONDS: Final = 2.0
_FIRST_PAUSE_SECONDS: Final = 1.0
_LONGEST_PAUSE_SECONDS: Final = 30.0
# Events per room in one response; reduced after a response that was too large.
_TIMELINES: Final = (100, 10, 1)
# Pages of a hundred events that are read back after a gap or a lost cursor.
_MAX_PAGES: Final = 50
# Events per transaction. The transaction stays open while their statements run.
_EVENTS_AT_ONCE: Final = 25
_MAX_INVITES: Final = 20

# What a person copies from our page into a direct chat.
_LINK_CODE: Final = re.compile(r"\s*([2-9A-Za-z]{10})\s*")


class LeaseLost(Exception):
    """Another process has taken over reading."""


@dataclass(frozen=True, slots=True)
class _Batch:
    """New events of one Matrix room, in order. If ``room`` is None, the room is not mirrored but a direct chat with the
    bot.
    """

    matrix_room: str
    room: RoomId | None
    events: tuple[JsonObject, ...]


async def run(bridge: Bridge, stop: asyncio.Event, on_events: Callable[[int], None]) -> None:
    """Read until ``stop`` is set. ``on_events`` is called after each response with the number of new events.

    An unavailable homeserver is retried indefinitely.
    """
    watching = asyncio.create_task(_watch_access(bridge, stop))
    try:
        await _read(bridge, stop, on_events)
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def _watch_access(bridge: Bridge, stop: asyncio.Event) -> None:
    """Enqueue rooms whose access rights changed, within two seconds. Every process does this; enqueueing a room twice
    creates only one job.
    """
    seen: int | None = None
    never = asyncio.Event()
    while not stop.is_set():
        try:
            async with bridge.db.transaction() as tx:
                newest = await mirroring.newest_access_change(tx)
                if seen is not None and newest > seen:
                    await mirroring.wake_changed(tx, seen)
                seen = newest
        except Exception as failure:  # noqa: BLE001 - the edge of the worker: the database is unavailable and is retried
            log.warning("matrix.access_not_read", reason=str(failure))
        await idle(stop, never, _ACCESS_SECONDS)


async def _read(bridge: Bridge, stop: asyncio.Event, on_events: Callable[[int], None]) -> None:
    holder = uuid.uuid4().hex
    pause = _FIRST_PAUSE_SECONDS
    never = asyncio.Event()
    is_reader = False
    try:
        while not stop.is_set():
            try:
                event_count = await _until(stop, read_once(bridge, holder, wait_seconds=_WAIT_SECONDS))
                if event_count is not None and not is_reader:
                    # People see this name when the bot invites them.
                    await bridge.bot.set_name(bridge.site_name)
            except Exception as failure:  # noqa: BLE001 - the edge of the worker: it reads again from the stored cursor
                is_known = isinstance(failure, Failure | LeaseLost)
                log.warning("matrix.read_failed", reason=str(failure), exc_info=None if is_known else failure)
                is_reader = False
                wait_seconds = failure.after_seconds if isinstance(failure, TooMany) else 0.0
                await idle(stop, never, max(pause, wait_seconds))
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
                continue
            pause = _FIRST_PAUSE_SECONDS
            if event_count is None:
                is_reader = False
                await idle(stop, never, _NOT_ELECTED_SECONDS)
                continue
            if not is_reader:
                # After a start and after each failure, all rooms are compared with their desired state.
                is_reader = True
                async with bridge.db.transaction() as tx:
                    await mirroring.wake_all(tx)
            on_events(event_count)
    finally:
        async with bridge.db.transaction() as tx:
            await store.give_cursor_back(tx, holder)


async def _until(stop: asyncio.Event, reading: Any) -> int | None:
    """Return the result of the coroutine; None if the event is set first, in which case the coroutine is cancelled."""
    task, stopped = asyncio.ensure_future(reading), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait([task, stopped], return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            result: int | None = task.result()
            return result
        return None
    finally:
        for one in (task, stopped):
            one.cancel()
        await asyncio.gather(task, stopped, return_exceptions=True)


async def read_once(bridge: Bridge, holder: str, *, wait_seconds: float) -> int | None:
    """Read and apply one response. Returns the number of its events, or None if another process is reading. Raises
    LeaseLost.
    """
    async with bridge.db.transaction() as tx:
        cursor = await store.take_cursor(tx, holder, Instant(tx.now + _LEASE_SECONDS * SECOND))
    if cursor is None:
        return None
    if not cursor.since:
        await bridge.bot.prepare()
    sync_response = await _sync(bridge, holder, cursor, wait_seconds)
    if sync_response is None:
        return 0
    rooms = sync_response.get("rooms")
    batches = await _batches(bridge, rooms if isinstance(rooms, dict) else {}, cursor.since)
    following = sync_response.get("next_batch")
    if not isinstance(following, str) or not following or len(following) > 10_000:
        raise RemoteFailed("The homeserver’s answer has no cursor.")
    await _apply_all(bridge, holder, cursor, following, batches, _invites(rooms))
    return sum(len(batch.events) for batch in batches)


async def _sync(bridge: Bridge, holder: str, cursor: SyncCursor, wait_seconds: float) -> JsonObject | None:
    for timeline in _TIMELINES:
        try:
            return await bridge.bot.sync(cursor.since, wait_seconds=wait_seconds, timeline=timeline)
        except ResponseTooLarge:
            if timeline == _TIMELINES[-1]:
                raise
        except RemoteFailed as failed:
            if failed.status != 400 or not cursor.since:
                raise
            # The homeserver no longer accepts the cursor: the next read goes back to the last known event of each room.
            log.warning("matrix.cursor_lost")
            async with bridge.db.transaction() as tx:
                await store.move_cursor(tx, holder, cursor, "")
            return None
    return None


async def _batches(bridge: Bridge, rooms: JsonObject, since: str) -> list[_Batch]:
    joined = rooms.get("join")
    batches = []
    for matrix_room, one in (joined if isinstance(joined, dict) else {}).items():
        if not is_room_id(matrix_room) or not isinstance(one, dict):
            continue
        async with bridge.db.reader() as reader:
            room = await store.room_of(reader, matrix_room)
        state, timeline = one.get("state"), one.get("timeline")
        timeline = timeline if isinstance(timeline, dict) else {}
        events = events_of(timeline.get("events"))
        before = timeline.get("prev_batch")
        if room is not None and (timeline.get("limited") is True or not since) and isinstance(before, str):
            events = await _missed(bridge, room, matrix_room, before, since) + events
        if room is not None:
            events = events_of(state.get("events") if isinstance(state, dict) else None) + events
        if events:
            batches.append(_Batch(matrix_room, room, tuple(events)))
    return batches


async def _missed(bridge: Bridge, room: RoomId, matrix_room: str, start: str, since: str) -> list[JsonObject]:
    """Return the events between the cursor and the response, oldest first; without a cursor, all since the last known
    event.
    """
    events: list[JsonObject] = []
    for _ in range(_MAX_PAGES):
        page = await bridge.bot.messages(matrix_room, start, end=since)
        for event in events_of(page.get("chunk")):
            async with bridge.db.reader() as reader:
                if await store.is_known(reader, room, str(event.get("event_id"))) and not since:
                    return events[::-1]
            events.append(event)
        following = page.get("end")
        if not isinstance(following, str) or following in {start, since} or not page.get("chunk"):
            return events[::-1]
        start = following
    log.error("matrix.gap_cut", room=room, events=len(events))
    return events[::-1]


def _invites(rooms: object) -> list[str]:
    """Return the rooms that the bot was invited to: direct chats, for linking."""
    invited = rooms.get("invite") if isinstance(rooms, dict) else None
    return [one for one in (invited if isinstance(invited, dict) else {}) if is_room_id(one)][:_MAX_INVITES]


async def _apply_all(
    bridge: Bridge, holder: str, cursor: SyncCursor, following: str, batches: Sequence[_Batch], invites: Sequence[str]
) -> None:
    """Apply all batches; the last transaction moves the cursor. After a crash, repeating the earlier ones has no
    effect.
    """
    pieces = [
        _Batch(batch.matrix_room, batch.room, batch.events[start : start + _EVENTS_AT_ONCE])
        for batch in batches
        for start in range(0, len(batch.events), _EVENTS_AT_ONCE)
    ]
    for piece in pieces[:-1]:
        async with bridge.db.transaction() as tx:
            if await store.take_cursor(tx, holder, Instant(tx.now + _LEASE_SECONDS * SECOND)) is None:
                raise LeaseLost("another process reads now")
            await _apply(tx, bridge, piece)
    async with bridge.db.transaction() as tx:
        if not await store.move_cursor(tx, holder, cursor, following):
            raise LeaseLost("another process has read in between")
        for piece in pieces[-1:]:
            await _apply(tx, bridge, piece)
        await jobs.enqueue_again(tx, JobKind.MATRIX_CALL, [f"join {one}" for one in invites])


async def _apply(tx: Transaction, bridge: Bridge, piece: _Batch) -> None:
    for event in piece.events:
        if piece.room is None:
            await _link_account(tx, bridge, piece.matrix_room, event)
        elif await apply(tx, bridge, piece.room, piece.matrix_room, event):
            await wake_mirror(tx, piece.room)


async def _link_account(tx: Transaction, bridge: Bridge, matrix_room: str, event: JsonObject) -> None:
    """Apply one event of a direct chat. The owner of a Matrix account copies a code from our page into it, which proves
    that the account is theirs.

    The bot replies to any message and then leaves, so each guess at a code requires a new invitation.
    """
    incoming = content.incoming(event)
    if not isinstance(incoming, content.IncomingMessage) or bridge.is_ours(incoming.sender):
        return
    code = _LINK_CODE.fullmatch(incoming.text)
    linked = None if code is None else await matrix_people.link(tx, incoming.sender, code[1])
    if linked is not None:
        await matrix_guests.become_person(tx, incoming.sender, linked)
    verb = "unlinked" if linked is None else "linked"
    await jobs.enqueue_again(tx, JobKind.MATRIX_CALL, [f"{verb} {matrix_room}"])
