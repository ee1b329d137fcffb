"""Audit log of room moderation: what was done, by whom, to whom and why; also objections of authors.

Entries are never changed. Undoing something adds an entry.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from groundwork.clock import Instant
from groundwork.database.transaction import Reader, Row, Transaction
from groundwork.uuid7 import new_id
from openmeet.domain.chat.model import ChatMessage, ChatMessageId, RoomId
from openmeet.domain.paging import Page
from openmeet.domain.users.erasure_requests import is_leaving
from openmeet.domain.users.model import UserId

# SQL column: the reason in a row ``a`` of ``chat_acts`` or ``chat_sanctions``. It is empty while the person whom it is
# about, or who wrote it, is deleting their account.
SHOWN_REASON: Final = (
    f"case when {is_leaving('a.user_id')} or {is_leaving('a.by_user_id')} then '' else a.reason end as reason"
)


class ChatModerationAction(StrEnum):
    """Kinds of entries in the moderation log of a room."""

    REMOVED = "removed"
    RESTORED = "restored"
    HELD = "held"
    RELEASED = "released"
    MUTED = "muted"
    UNMUTED = "unmuted"
    BANNED = "banned"
    UNBANNED = "unbanned"
    CLOSED = "closed"
    REOPENED = "reopened"
    SETTINGS = "settings"
    DISMISSED = "dismissed"  # the reports about a message
    OBJECTED = "objected"  # the author objected to a removal
    UPHELD = "upheld"  # a removal was upheld against an objection
    # About guests from Matrix; the reason contains their address.
    GUEST_INVITED = "guest_invited"
    GUEST_REMOVED = "guest_removed"
    GUEST_BANNED = "guest_banned"


@dataclass(frozen=True, slots=True)
class RoomAction:
    """One entry. ``user_id`` is the person it is about. ``by_user_id`` is None if the program did it."""

    id: str
    room_id: RoomId
    act: ChatModerationAction
    message_id: ChatMessageId | None
    user_id: UserId | None
    by_user_id: UserId | None
    reason: str
    until: Instant | None
    at: Instant


async def note_action(
    tx: Transaction,
    room: RoomId,
    act: ChatModerationAction,
    *,
    by: UserId | None,
    message: ChatMessageId | None = None,
    about: UserId | None = None,
    reason: str = "",
    until: Instant | None = None,
) -> str:
    """Write an entry and return its id."""
    action_id = new_id(tx.now)
    await tx.execute(
        """
        insert into chat_acts (id, room_id, act, message_id, user_id, by_user_id, reason, until, at)
        values (:id, :room, :act, :message, :about, :by, :reason, :until, :now)
        """,
        id=action_id,
        room=room,
        act=act.value,
        message=message,
        about=about,
        by=by,
        reason=reason,
        until=until,
        now=tx.now,
    )
    return action_id


async def actions_of(reader: Reader, room: RoomId, page: Page) -> list[RoomAction]:
    """The actions in a room, newest first."""
    rows = await reader.fetch(
        f"select id, room_id, act, message_id, user_id, by_user_id, {SHOWN_REASON}, until, at from chat_acts a"
        f" where room_id = :room{page.clause('at', 'id')}",
        room=room,
        **page.values,
    )
    return [_action(row) for row in rows]


async def actions_about(reader: Reader, message: ChatMessage) -> list[RoomAction]:
    """Entries about a message and about its author in that room, newest first."""
    rows = await reader.fetch(
        f"select id, room_id, act, message_id, user_id, by_user_id, {SHOWN_REASON}, until, at from chat_acts a"
        " where room_id = :room and (message_id = :message or message_id is null and user_id = :author)"
        " order by at desc, id desc limit 50",
        room=message.room_id,
        message=message.id,
        author=message.user_id or "",
    )
    return [_action(row) for row in rows]


def _action(row: Row) -> RoomAction:
    return RoomAction(
        id=row["id"],
        room_id=RoomId(row["room_id"]),
        act=ChatModerationAction(row["act"]),
        message_id=None if row["message_id"] is None else ChatMessageId(row["message_id"]),
        user_id=None if row["user_id"] is None else UserId(row["user_id"]),
        by_user_id=None if row["by_user_id"] is None else UserId(row["by_user_id"]),
        reason=row["reason"],
        until=row["until"],
        at=row["at"],
    )
