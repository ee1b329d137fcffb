"""SQL for messages.

While a person is deleting their account, their messages are read as if they had taken them back, and are not changed.
``message_of`` applies this rule, so it holds for everything that reads messages. ``stored_by_id`` is the exception.
"""

import json
from collections.abc import Collection
from dataclasses import replace
from typing import Final

from groundwork.clock import Instant
from groundwork.database.bulk import SqlWrite
from groundwork.database.transaction import Reader, Row, Transaction
from groundwork.uuid7 import new_id
from openmeet.domain.chat import log
from openmeet.domain.chat.model import (
    SEALED_FOR,
    WRITTEN,
    ChatMessage,
    ChatMessageId,
    LogKind,
    MessageAuthor,
    MessageKind,
    RoomId,
    RoomNotice,
)
from openmeet.domain.chat.texts import LINK_TERM
from openmeet.domain.users.erasure_requests import is_leaving, left_at_sql
from openmeet.domain.users.model import UserId

_ROOMS_COUNTED: Final = 200
_NAMES: Final = (
    "id",
    "room_id",
    "number",
    "user_id",
    "matrix_sender",
    "client_id",
    "kind",
    "body",
    "details",
    "about",
    "reply_to",
    "external_id",
    "revision",
    "said_at",
    "edited_at",
    "removed_at",
    "removed_by",
    "held_at",
    "removed_by_site",
)
_INSERT: Final = f"""
    insert into chat_messages ({", ".join(_NAMES)}, search_words)
    values ({", ".join(f":{name}" for name in _NAMES)}, :search_words)
"""


def _author_sql(message: str) -> str:
    """SQL expression: the user who wrote the message, also if they wrote it on Matrix before they linked that account."""
    of_mxid = f"(select a.user_id from matrix_people a where a.mxid = {message}.matrix_sender)"
    return f"coalesce({message}.user_id, {of_mxid})"


COLUMNS: Final = ", ".join(
    (*(f"m.{name}" for name in _NAMES), f"{_author_sql('m')} as author", f"{left_at_sql(_author_sql('m'))} as left_at")
)


def is_by_leaving(message: str = "m") -> str:
    """SQL condition: the author of this message is deleting their account."""
    return is_leaving(_author_sql(message))


def is_there(message: str = "m") -> str:
    """SQL condition: the message can be read by everyone in its part of the room: it was not removed, is not held, and
    its author is not deleting their account.
    """
    return f"{message}.removed_at is null and {message}.held_at is null and not {is_by_leaving(message)}"


def is_written() -> str:
    """SQL condition on the message ``m``: its text was written by people."""
    kinds = ", ".join(f"'{kind}'" for kind in sorted(WRITTEN))
    return f"m.kind in ({kinds})"


def message_of(row: Row) -> ChatMessage:
    """Parse a row with ``COLUMNS``. The messages of a person who is deleting their account are empty and taken back."""
    stored = _stored_message_of(row)
    if row["left_at"] is None:
        return stored
    author = UserId(row["author"])
    return replace(
        stored,
        user_id=author,
        matrix_sender=None,
        body="",
        details={},
        removed_at=stored.removed_at or Instant(row["left_at"]),
        removed_by=author,
    )


def _stored_message_of(row: Row) -> ChatMessage:
    return ChatMessage(
        id=ChatMessageId(row["id"]),
        room_id=RoomId(row["room_id"]),
        number=row["number"],
        user_id=None if row["user_id"] is None else UserId(row["user_id"]),
        matrix_sender=row["matrix_sender"],
        client_id=row["client_id"],
        kind=MessageKind(row["kind"]),
        body=row["body"],
        details=json.loads(row["details"]),
        about=row["about"],
        reply_to=None if row["reply_to"] is None else ChatMessageId(row["reply_to"]),
        external_id=row["external_id"],
        revision=row["revision"],
        said_at=row["said_at"],
        edited_at=row["edited_at"],
        removed_at=row["removed_at"],
        removed_by=None if row["removed_by"] is None else UserId(row["removed_by"]),
        held_at=row["held_at"],
        removed_by_site=bool(row["removed_by_site"]),
    )


async def by_id(reader: Reader, message: ChatMessageId) -> ChatMessage | None:
    row = await reader.fetch_one(f"select {COLUMNS} from chat_messages m where m.id = :id", id=message)
    return message_of(row) if row else None


async def stored_by_id(reader: Reader, message: ChatMessageId) -> ChatMessage | None:
    """``by_id`` with the stored content, even if its author is deleting their account. Not for showing it to anybody."""
    row = await reader.fetch_one(f"select {COLUMNS} from chat_messages m where m.id = :id", id=message)
    return _stored_message_of(row) if row else None


async def insert(tx: Transaction, entry: log.NextEntry, message: ChatMessage, search_words: str) -> None:
    """Store a new message and its log entry. Both have the same number."""
    values: dict[str, object] = {
        "id": message.id,
        "room_id": message.room_id,
        "number": message.number,
        "user_id": message.user_id,
        "matrix_sender": message.matrix_sender,
        "client_id": message.client_id,
        "kind": message.kind.value,
        "body": message.body,
        "details": json.dumps(message.details),
        "about": message.about,
        "reply_to": message.reply_to,
        "external_id": message.external_id,
        "revision": message.revision,
        "said_at": message.said_at,
        "edited_at": message.edited_at,
        "removed_at": message.removed_at,
        "removed_by": message.removed_by,
        "held_at": message.held_at,
        "removed_by_site": int(message.removed_by_site),
        "search_words": search_words,
    }
    await log.write(tx, entry, LogKind.POSTED, message.id, along=[SqlWrite(_INSERT, values)], said_at=tx.now)


async def set_external_id(tx: Transaction, message: ChatMessageId, external_id: str) -> None:
    """Note the Matrix event by which a person sent this message."""
    await tx.execute(
        "update chat_messages set external_id = :external_id where id = :id", external_id=external_id, id=message
    )


async def insert_notice(tx: Transaction, room: RoomId, notice: RoomNotice, **details: str) -> None:
    """Store a notice about the room that the program itself writes."""
    entry = await log.next_entry(tx, room)
    await insert(
        tx,
        entry,
        ChatMessage(
            id=ChatMessageId(new_id(tx.now)),
            room_id=room,
            number=entry.number,
            kind=MessageKind.NOTICE,
            body="",
            details={"notice": notice.value, **details},
            said_at=tx.now,
        ),
        "",
    )


async def by_client_id(reader: Reader, room: RoomId, person: UserId, client_id: str) -> ChatMessage | None:
    """The message that this person sent to the room with this client id."""
    row = await reader.fetch_one(
        f"select {COLUMNS} from chat_messages m where m.room_id = :room and m.user_id = :person "
        "and m.client_id = :client_id",
        room=room,
        person=person,
        client_id=client_id,
    )
    return message_of(row) if row else None


async def last_said_at(reader: Reader, room: RoomId, author: MessageAuthor) -> Instant | None:
    """When the author last wrote in the room; None if they never did."""
    row = await reader.fetch_one(
        f"select max(said_at) as last from chat_messages where room_id = :room and {author.column} = :author",
        room=room,
        author=author.value,
    )
    return None if row is None or row["last"] is None else Instant(row["last"])


async def shown_counts(reader: Reader, author: MessageAuthor) -> dict[RoomId, tuple[int, int]]:
    """How many messages of this author are visible in each room, and how many of them have a link; for their 200 most
    recent rooms.
    """
    rows = await reader.fetch(
        f"select room_id, count(*) as said, sum(case when search_words like '% {LINK_TERM} %' then 1 else 0 end) as linked"
        f" from chat_messages where {author.column} = :author and held_at is null and removed_at is null"
        " group by room_id order by room_id desc limit :limit",
        author=author.value,
        limit=_ROOMS_COUNTED,
    )
    return {RoomId(row["room_id"]): (int(row["said"]), int(row["linked"])) for row in rows}


async def around(reader: Reader, chat_message: ChatMessage, number: int) -> list[ChatMessage]:
    """A message with up to ``number`` messages before and after it, in order."""
    near = {chat_message.id: chat_message}
    for compared, order in (("<", "desc"), (">", "asc")):
        rows = await reader.fetch(
            f"select {COLUMNS} from chat_messages m where m.room_id = :room and m.number {compared} :here"
            f" order by m.number {order} limit :limit",
            room=chat_message.room_id,
            here=chat_message.number,
            limit=number,
        )
        near |= {message.id: message for message in map(message_of, rows)}
    return sorted(near.values(), key=lambda message: message.number)


async def held_in(reader: Reader, room: RoomId) -> list[ChatMessageId]:
    """The oldest 100 messages of a room that wait for a moderator."""
    rows = await reader.fetch(
        "select m.id from chat_messages m where m.room_id = :room and m.held_at is not null"
        f" and not {is_by_leaving()} order by m.number limit 100",
        room=room,
    )
    return [ChatMessageId(row["id"]) for row in rows]


async def has_written(reader: Reader, room: RoomId, person: UserId) -> bool:
    """Whether this person has ever written in the room."""
    row = await reader.fetch_one(
        "select 1 as found from chat_messages where room_id = :room and user_id = :person limit 1",
        room=room,
        person=person,
    )
    return row is not None


async def rooms_written_in(reader: Reader, rooms: Collection[RoomId], people: Collection[UserId]) -> set[RoomId]:
    """Return in which of these rooms any of these people has ever written."""
    if not rooms or not people:
        return set()
    rows = await reader.fetch(
        "select r.id from chat_rooms r where r.id in :rooms and exists ("
        "select 1 from chat_messages m where m.room_id = r.id and m.user_id in :people) order by r.id",
        rooms=sorted(rooms),
        people=sorted(people),
    )
    return {RoomId(row["id"]) for row in rows}


async def earlier_texts(reader: Reader, message: ChatMessageId) -> list[str]:
    """The earlier texts of an edited message, oldest first, as long as they are kept for moderators."""
    rows = await reader.fetch(
        "select e.body from chat_edits e join chat_messages m on m.id = e.message_id"
        f" where e.message_id = :id and e.until > :now and not {is_by_leaving()} order by e.revision limit 100",
        id=message,
        now=reader.now,
    )
    return [str(row["body"]) for row in rows]


async def by_ids(reader: Reader, ids: Collection[ChatMessageId]) -> dict[ChatMessageId, ChatMessage]:
    if not ids:
        return {}
    rows = await reader.fetch(
        f"select {COLUMNS} from chat_messages m where m.id in :ids order by m.id", ids=sorted(set(ids))
    )
    return {one.id: one for one in map(message_of, rows)}


async def keep_earlier_text(tx: Transaction, message: ChatMessage) -> None:
    """Keep the text before an edit, for moderators."""
    await tx.execute(
        "insert into chat_edits (message_id, revision, body, until) values (:id, :revision, :body, :until)",
        id=message.id,
        revision=message.revision,
        body=message.body,
        until=Instant(tx.now + SEALED_FOR),
    )
