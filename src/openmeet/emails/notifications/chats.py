"""Chat rooms in the text of notifications, limited to what the reader may read now."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from groundwork.database.transaction import Reader
from openmeet.domain.chat import message_queries, objections, room_queries
from openmeet.domain.chat.access import access_to_each, reading_floor_sql
from openmeet.domain.chat.addresses import RoomAddress, addresses_of
from openmeet.domain.chat.message_queries import is_there, is_written
from openmeet.domain.chat.model import Access, ChatMessage, ChatMessageId, HistoryMode, Room, RoomId, pictures_in
from openmeet.domain.chat.objections import Removal
from openmeet.domain.chat.pictures import words_of
from openmeet.domain.chat.sanctions import Sanction, sanctions_of
from openmeet.domain.identities.queries import shown_names
from openmeet.domain.notifications.chat_kinds import (
    CHAT_LIFTED,
    CHAT_MESSAGES,
    CHAT_REMOVED,
    CHAT_RESTORED,
    CHAT_SANCTIONED,
    CHAT_UNREAD,
    CHAT_UPHELD,
    ChatPayload,
    ChatSanctioned,
)
from openmeet.domain.notifications.model import NotificationId, ShownTime
from openmeet.domain.notifications.queries import Notification
from openmeet.domain.users.model import UserId, unnamed
from openmeet.emails.notifications.current_state import CurrentChatState
from openmeet.i18n.markdown import one_line, summary_of

# Notifications about one of the reader's own messages.
DECISIONS: Final = frozenset({CHAT_REMOVED, CHAT_RESTORED, CHAT_UPHELD})
# Notifications about the reader, which are also shown to people who can no longer read the room.
SANCTIONS: Final = frozenset({CHAT_SANCTIONED, CHAT_LIFTED})
# How many messages of a room an e-mail shows, and how many characters of each.
_LINES: Final = 10
# Unread messages of a room are counted up to this number.
_COUNTED: Final = 1_000


async def chats_of(
    reader: Reader, news: Sequence[Notification], viewer: UserId
) -> dict[NotificationId, CurrentChatState]:
    """For each of these chat notifications, the room and message as the viewer may see them now.

    Rooms that the viewer may not read and messages that are gone are left out.
    """
    payloads = {one.id: one.payload for one in news if isinstance(one.payload, ChatPayload)}
    reached = await access_to_each(reader, {RoomId(one.subject_id) for one in news}, viewer)
    decided = [one for one in news if one.kind in DECISIONS]
    readable = {room for room, level in reached.items() if level > Access.NONE}
    about_reader = [one for one in news if one.kind in SANCTIONS]
    rooms = await room_queries.by_ids(reader, readable | {RoomId(one.subject_id) for one in [*decided, *about_reader]})
    if not rooms:
        return {}
    addresses = await addresses_of(reader, list(rooms.values()), viewer)
    about_message = [ChatMessageId(one.message_id) for one in payloads.values()]
    facts = _ChatFacts(
        viewer,
        reached,
        rooms,
        addresses,
        messages=await message_queries.by_ids(reader, about_message),
        unread=await _unread_in(reader, list(addresses), viewer),
        removals=await objections.removals_of(reader, [ChatMessageId(payloads[one.id].message_id) for one in decided]),
        marks=await _marks(reader, list(addresses), viewer),
        sanctions=await sanctions_of(reader, viewer, [RoomId(one.subject_id) for one in about_reader]),
    )
    states = {one.id: _state_of(one, facts) for one in news}
    return {notification_id: state for notification_id, state in states.items() if state is not None}


@dataclass(frozen=True, slots=True)
class _ChatFacts:
    """Everything that these notifications depend on now, by room or message. ``reached``: the viewer's access."""

    viewer: UserId
    reached: Mapping[RoomId, Access]
    rooms: Mapping[RoomId, Room]
    addresses: Mapping[RoomId, RoomAddress]
    messages: Mapping[ChatMessageId, ChatMessage]
    unread: Mapping[RoomId, "_Unread"]
    removals: Mapping[ChatMessageId, Removal]
    marks: Mapping[RoomId, tuple[int, int]]
    sanctions: Sequence[Sanction]


def _state_of(notification: Notification, facts: _ChatFacts) -> CurrentChatState | None:
    room_id = RoomId(notification.subject_id)
    room, address = facts.rooms.get(room_id), facts.addresses.get(room_id)
    if room is None or address is None:
        return None
    level = facts.reached.get(room.id, Access.NONE)
    if isinstance(notification.payload, ChatSanctioned):
        of_room = [each for each in facts.sanctions if each.room_id == room.id]
        state = _sanctioned(notification, notification.payload, of_room, address)
        return state and replace(state, may_read=level >= Access.READ, may_write=level >= Access.WRITE)
    message = (
        facts.messages.get(ChatMessageId(notification.payload.message_id))
        if isinstance(notification.payload, ChatPayload)
        else None
    )
    if notification.kind in DECISIONS:
        # Notifications about the reader's own message are also shown if they were banned.
        if message is None or message.user_id != facts.viewer:
            return None
        return _decision_state(
            notification, message, facts.removals.get(message.id), address, is_readable=level > Access.NONE
        )
    if level is Access.NONE:
        return None
    if notification.kind in {CHAT_MESSAGES, CHAT_UNREAD}:
        waiting = facts.unread.get(room.id, _Unread(0, ()))
        lines = () if address.is_private else waiting.lines
        may_write = level >= Access.WRITE and not room.is_closed
        return CurrentChatState(address.name, address.path, address.path, "", waiting.number, lines, may_write)
    return None if message is None else _message_state(message, room, address, level, facts.marks.get(room.id))


def _message_state(
    message: ChatMessage, room: Room, address: RoomAddress, level: Access, read_and_entered: tuple[int, int] | None
) -> CurrentChatState | None:
    """One message. None if the reader may not see it. ``read_and_entered``: the number up to which they have read, and
    the number after which they joined.
    """
    read_number, entered = read_and_entered or (0, room.last_number)
    floor = entered if room.history is HistoryMode.SINCE_JOINING and level < Access.MODERATE else 0
    if message.room_id != room.id or message.is_removed or message.is_held or message.number <= floor:
        return None
    return CurrentChatState(
        address.name,
        address.path,
        f"/chat/messages/{message.id}",
        "" if address.is_private else words_of(message.body, message.pictures),
        int(message.number > read_number),
        (),
        level >= Access.WRITE and not room.is_closed,
    )


def _decision_state(
    notification: Notification,
    message: ChatMessage,
    removal: Removal | None,
    address: RoomAddress,
    *,
    is_readable: bool,
) -> CurrentChatState | None:
    """A moderator's decision about the reader’s message. None if a later decision has replaced it."""
    if notification.kind is CHAT_RESTORED:
        path = f"/chat/messages/{message.id}" if is_readable else "/chat"
        return None if message.is_removed else CurrentChatState(address.name, path, path, "", 1)
    if removal is None or not message.is_removed or removal.at > notification.created_at:
        return None
    page = f"/chat/messages/{message.id}/object"
    if notification.kind is CHAT_UPHELD:
        return CurrentChatState(address.name, page, page, removal.decision, 1) if removal.is_decided else None
    return CurrentChatState(address.name, page, page, removal.reason, 1)


def _sanctioned(
    notification: Notification, payload: ChatSanctioned, sanctions: Sequence[Sanction], address: RoomAddress
) -> CurrentChatState | None:
    """A mute or ban of the reader, or the end of one. None if it no longer applies or a later decision has replaced it."""
    if notification.kind is CHAT_LIFTED:
        return None if sanctions else CurrentChatState(address.name, address.path, address.path, "", 1)
    for each in sanctions:
        if each.kind == payload.kind and each.of_site is payload.of_site and each.at <= notification.created_at:
            until = None if each.until is None else ShownTime(each.until, address.time_zone)
            return CurrentChatState(address.name, address.path, address.path, each.reason, 1, until=until)
    return None


@dataclass(frozen=True, slots=True)
class _Unread:
    """The number of unread messages in a room, at most 1,000, and the first ten as lines of text."""

    number: int
    lines: tuple[str, ...]


# SQL condition on ``m``, ``r`` and ``c``: the viewer has not read the message.
_UNREAD: Final = f"""
    m.number > coalesce(c.read_number, 0) and {is_written()}
    and (m.user_id is null or m.user_id <> :viewer) and {is_there()}
    and m.number > {reading_floor_sql()}
    and not exists (select 1 from user_blocks kb where kb.user_id = :viewer and kb.blocked_id = m.user_id)
    and not exists (select 1 from user_mutes km where km.user_id = :viewer and km.subject = m.user_id)
"""


async def _unread_in(reader: Reader, rooms: Sequence[RoomId], viewer: UserId) -> dict[RoomId, _Unread]:
    """Unread messages by room, without the viewer's own and without those of people whom the viewer blocked or muted."""
    if not rooms:
        return {}
    rows = await reader.fetch(
        f"""
        select m.room_id, m.user_id, m.matrix_sender, m.body, m.details, m.number,
               (select count(*) from (select 1 as one from chat_messages m where m.room_id = r.id and {_UNREAD}
                   limit {_COUNTED}) n)
                 as unread
          from chat_rooms r left join chat_readers c on c.room_id = r.id and c.user_id = :viewer
          join chat_messages m on m.room_id = r.id
         where r.id in :rooms and m.id in (
           select m.id from chat_messages m where m.room_id = r.id and {_UNREAD} order by m.number limit {_LINES})
         order by m.room_id, m.number
        """,
        rooms=sorted(set(rooms)),
        viewer=viewer,
    )
    names = await shown_names(reader, [UserId(row["user_id"]) for row in rows if row["user_id"]])
    unread_by_room: dict[RoomId, _Unread] = {}
    for row in rows:
        name = names.get(UserId(row["user_id"]), unnamed()) if row["user_id"] else row["matrix_sender"] or unnamed()
        before = unread_by_room.get(RoomId(row["room_id"]), _Unread(int(row["unread"]), ()))
        text = words_of(row["body"], pictures_in(json.loads(row["details"])))
        line = f"{one_line(name)}: {summary_of(text)}"
        unread_by_room[RoomId(row["room_id"])] = _Unread(before.number, (*before.lines, line))
    return unread_by_room


async def _marks(reader: Reader, rooms: Sequence[RoomId], viewer: UserId) -> Mapping[RoomId, tuple[int, int]]:
    """By room, the number of the last message that the viewer has read, and of the last one when they joined."""
    rows = await reader.fetch(
        "select room_id, read_number, entered_number from chat_readers where user_id = :viewer and room_id in :rooms"
        " order by room_id",
        viewer=viewer,
        rooms=sorted(set(rooms)),
    )
    return {RoomId(row["room_id"]): (row["read_number"], row["entered_number"]) for row in rows}
