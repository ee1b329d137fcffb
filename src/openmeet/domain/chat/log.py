"""The log of a room: everything that happens in it, numbered without gaps in commit order.

Each entry notifies all readers of the room: callbacks in this process after the commit, and other processes by a
PostgreSQL notification on the tenant's channel. Both carry ``room:number`` and are only hints: readers compare numbers,
and poll every two seconds in any case.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final
from weakref import WeakSet

from groundwork.clock import Instant
from groundwork.database.bulk import SqlWrite, execute_together
from groundwork.database.transaction import Reader, Row, Transaction
from groundwork.outbox import jobs
from openmeet.domain.chat.model import ChatLogEntry, ChatMessageId, LogKind, Room, RoomId
from openmeet.outbox.kinds import JobKind

# Jobs of mirrored rooms. Each room is its own partition, so none waits for another.
MIRRORED: Final = """
    select r.id as subject, r.id as partition, 2 as priority from chat_rooms r where r.matrix_state <> 'off'
"""
# A stream that missed more entries than this reloads its page.
MAX_REPLAYED: Final = 200

# Entries that people may be notified of.
NOTIFIED_KINDS: Final = frozenset({LogKind.POSTED, LogKind.EDITED, LogKind.RESTORED, LogKind.REMOVED})


class LogListener:
    """Calls ``on_entry`` with a room and its latest number after each commit of this process, as long as it is
    referenced.
    """

    def __init__(self, on_entry: Callable[[RoomId, int], None]) -> None:
        self.on_entry = on_entry
        _LISTENERS.add(self)


_LISTENERS: WeakSet[LogListener] = WeakSet()


def channel(schema: str) -> str:
    """The PostgreSQL channel for the tenant with this schema, on which other processes listen."""
    return f"{schema}_chat"


def parse_notification(payload: str) -> tuple[RoomId, int] | None:
    """Parse the room and number of a notification. None means that any room may have changed."""
    room, _, number = payload.partition(":")
    return (RoomId(room), int(number)) if room and number.isdecimal() else None


@dataclass(frozen=True, slots=True)
class NextEntry:
    """The position of the next log entry of a room. The room stays locked until the commit."""

    room: RoomId
    number: int
    is_mirrored: bool


async def append(tx: Transaction, room: RoomId, kind: LogKind, message: ChatMessageId | None = None) -> int:
    """Write the next entry and return its number. Call this last, because it locks the room until the commit."""
    entry = await next_entry(tx, room)
    await write(tx, entry, kind, message)
    return entry.number


async def append_each(tx: Transaction, room: RoomId, kind: LogKind, messages: Sequence[ChatMessageId]) -> None:
    """``append`` for many messages of one room, with a constant number of statements."""
    if not messages:
        return
    entry = await next_entry(tx, room)
    last = entry.number + len(messages) - 1
    await tx.execute("update chat_rooms set last_number = :last where id = :room", last=last, room=room)
    await tx.execute_many(
        _INSERT,
        [
            {"room": room, "number": number, "kind": kind.value, "message": message, "now": tx.now}
            for number, message in enumerate(messages, entry.number)
        ],
    )
    if kind in NOTIFIED_KINDS:
        await execute_together(tx, [jobs.repeated_job_write(tx, JobKind.NOTIFY_CHAT, room)])
    if entry.is_mirrored:
        await wake_mirror(tx, room)
    if tx.engine == "postgresql":
        await tx.fetch("select pg_notify(current_schema() || '_chat', :notice)", notice=f"{room}:{last}")
    tx.after_commit(lambda: _call_listeners(room, last))


async def next_entry(tx: Transaction, room: RoomId) -> NextEntry:
    """Lock the room for its next entry."""
    row = await tx.fetch_one(
        "update chat_rooms set id = id where id = :room returning last_number, matrix_state", room=room
    )
    assert row is not None, "the caller has read the room"  # noqa: S101 - for the type checker
    return NextEntry(room, int(row["last_number"]) + 1, row["matrix_state"] != "off")


def entry_after(room: Room) -> NextEntry:
    """``next_entry`` for a room that ``room_queries.lock`` returned and whose log has not been written to since."""
    return NextEntry(room.id, room.last_number + 1, room.is_mirrored)


_INSERT: Final = (
    "insert into chat_log (room_id, number, kind, message_id, at) values (:room, :number, :kind, :message, :now)"
)
# In the same statement as the entry, so that it does not cost a round trip.
_INSERT_AND_NOTIFY: Final = f"{_INSERT} returning pg_notify(current_schema() || '_chat', :notice)"


async def write(
    tx: Transaction,
    entry: NextEntry,
    kind: LogKind,
    message: ChatMessageId | None,
    *,
    along: Sequence[SqlWrite] = (),
    said_at: Instant | None = None,
) -> None:
    """Write the entry, and notify readers after the commit. ``along`` has further writes for the same round trip.

    ``said_at`` is set if something new was said; rooms are sorted by it.
    """
    room, number = entry.room, entry.number
    values = {"room": room, "number": number, "kind": kind.value, "message": message, "now": tx.now}
    is_postgresql = tx.engine == "postgresql"
    writes = [
        SqlWrite(
            "update chat_rooms set last_number = :number, last_said_at = coalesce(cast(:said_at as bigint), last_said_at)"
            " where id = :room",
            {"number": number, "said_at": said_at, "room": room},
        ),
        *along,
        SqlWrite(_INSERT_AND_NOTIFY, values | {"notice": f"{room}:{number}"})
        if is_postgresql
        else SqlWrite(_INSERT, values),
    ]
    if kind in NOTIFIED_KINDS:
        writes.append(jobs.repeated_job_write(tx, JobKind.NOTIFY_CHAT, room))
    if entry.is_mirrored:
        writes.append(jobs.repeated_job_write(tx, JobKind.MATRIX_ROOM, room, partition=room))
    await execute_together(tx, writes)
    tx.after_commit(lambda: _call_listeners(room, number))


async def wake_mirror(tx: Transaction, room: RoomId) -> None:
    """Enqueue the job that mirrors the room to Matrix, if it is mirrored."""
    await jobs.enqueue_again_selected(
        tx, JobKind.MATRIX_ROOM, f"{MIRRORED} and r.id = :room", has_partitions=True, room=room
    )


def _call_listeners(room: RoomId, number: int) -> None:
    for one in list(_LISTENERS):
        one.on_entry(room, number)


async def entries_after(reader: Reader, room: RoomId, number: int, *, limit: int = MAX_REPLAYED) -> list[ChatLogEntry]:
    """Entries after a number, in order: one more than the limit if there are more."""
    rows = await reader.fetch(
        "select room_id, number, kind, message_id, at from chat_log where room_id = :room and number > :number"
        " order by number limit :limit",
        room=room,
        number=number,
        limit=limit + 1,
    )
    return [_entry(row) for row in rows]


def _entry(row: Row) -> ChatLogEntry:
    message = None if row["message_id"] is None else ChatMessageId(row["message_id"])
    return ChatLogEntry(RoomId(row["room_id"]), row["number"], LogKind(row["kind"]), message, row["at"])
