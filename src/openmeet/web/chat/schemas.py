"""Request and response types of the chat in the JSON API."""

from typing import ClassVar, Literal

import msgspec

from groundwork.database.transaction import Reader
from openmeet.domain.chat.message_queries import by_ids
from openmeet.domain.chat.model import (
    SWITCHES_OF,
    Access,
    ChatMessageId,
    HistoryMode,
    MessageKind,
    NotificationLevel,
    Room,
    RoomKind,
    RoomRetention,
    Signal,
)
from openmeet.domain.chat.people import RoomMember
from openmeet.domain.chat.polls import poll_in
from openmeet.domain.chat.queries import ShownMessage, shown
from openmeet.domain.chat.room_list import MyRoom
from openmeet.domain.users.model import UserId
from openmeet.i18n.formatting import iso, iso_or_none
from openmeet.web.chat.pictures import ChatPictureShown, pictures_shown

AccessName = Literal["none", "read", "write", "moderate"]


class PollWanted(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """A poll. The text of the message is its question. ``choices`` and ``dates`` are shown together, dates first, and
    must be 2 to 10 in total. ``dates`` are original dates of the series, for “which date?”. ``several`` says whether
    people can choose more than one. Voting ends at ``endsAt``, or when the author ends it if that is left out.
    """

    EXAMPLE: ClassVar = {"choices": ["Chess", "Go"], "several": False}

    choices: list[str] = []
    dates: list[str] = []
    several: bool = False
    ends_at: str | None = None


class PictureWanted(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """A picture to send. ``id`` is the id of the upload. ``alt`` describes the picture for people who cannot see it."""

    id: str
    alt: str = ""


class ChatMessageWanted(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """A message. ``clientId`` is chosen by the client: 1 to 64 letters, digits or ``-_.:``. If it was used before, the
    response is the message that is stored already. ``about`` is the original date of the series that the message is
    about. If left out, it is the current date or the next one. Null means that the message is not about a date.
    ``mentions`` has the ids of at most 20 people. ``signal`` replaces the text: it is a short status that people send
    with one tap before an event. ``pictures`` has up to four pictures that were uploaded to the room. With pictures,
    the text may be empty.
    """

    EXAMPLE: ClassVar = {"clientId": "5f0c6a1e-3", "text": "Who brings the board?"}

    client_id: str
    text: str = ""
    about: str | msgspec.UnsetType | None = msgspec.UNSET
    reply_to: str | None = None
    mentions: list[str] = []
    signal: Signal | None = None
    poll: PollWanted | None = None
    pictures: list[PictureWanted] = []


class ChatMessageEdit(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """The new text. A message can be edited within 24 hours. With ``ifRevision``, the response is 409 if the message
    has changed since.
    """

    text: str
    if_revision: int | None = None


class ActionReasonInput(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """Why a host takes this action. The affected person can read it."""

    reason: str = ""


class ChatVote(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """The numbers of the chosen options, counted from 0. An empty list withdraws the vote."""

    choices: list[int]


class ReadMark(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """The number up to which the caller has read. It can only move forward."""

    number: int


class ChatNotifications(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """Which notifications the caller gets from a room. ``usual`` means according to their preferences. Until
    ``mutedUntil`` there are no notifications.
    """

    level: NotificationLevel
    muted_until: str | None = None


class RoomOpening(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """The room to open. Send the slug of exactly one of ``event``, ``series`` and ``group``. ``date`` is the original
    date, for the room of one date of a series. ``name`` is the name of a channel. ``with`` is the person of a direct
    room; the caller by default.
    """

    EXAMPLE: ClassVar = {"kind": "event", "event": "board-games-k7x2p"}

    kind: RoomKind
    event: str | None = None
    series: str | None = None
    group: str | None = None
    date: str | None = None
    name: str = ""
    with_: str | None = msgspec.field(default=None, name="with")


class RoomChange(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """Settings to change. ``audience`` has switches by name, like ``audience`` of a room. ``slowSeconds`` is 0 to
    3,600.
    """

    name: str | None = None
    about: str | None = None
    audience: dict[str, str] | None = None
    history: HistoryMode | None = None
    slow_seconds: int | None = None
    holds_messages: bool | None = None
    retention: RoomRetention | None = None
    position: int | None = None


class ReactionShown(msgspec.Struct, rename="camel"):
    """The number of people who reacted with an emoji. ``isMine`` says whether the caller did. It is left out in the
    live stream, because all readers share that.
    """

    emoji: str
    number: int
    is_mine: bool | msgspec.UnsetType = msgspec.UNSET


class ReplyShown(msgspec.Struct, rename="camel"):
    """The message that this one replies to, with its first line. The line is empty if that message no longer exists."""

    id: str
    number: int
    author_id: str | None
    author_name: str
    text: str
    is_removed: bool


class ChoiceShown(msgspec.Struct, rename="camel"):
    """A choice of a poll. If the choice is a date of the series, ``date`` is its original date. ``isMine`` says whether
    the caller voted for it. It is left out in the live stream.
    """

    text: str
    date: str | None
    votes: int
    is_mine: bool | msgspec.UnsetType = msgspec.UNSET


class PollShown(msgspec.Struct, rename="camel"):
    """A poll. ``endsAt`` is null if the poll runs until its author ends it."""

    choices: list[ChoiceShown]
    several: bool
    ends_at: str | None


class ChatMessageShown(msgspec.Struct, rename="camel"):
    """A message. ``number`` is its number in the room's log. ``text`` is empty if the message was removed; for a signal
    it is the code of the signal. ``authorId`` is null for notices and for guests from Matrix (``matrixSender``).
    ``removedBy`` is ``author`` or ``moderator``. ``isHeld`` means that the message waits for a moderator. ``isFolded``
    means that the caller blocks or mutes its author. ``mentions`` has the ids of people. ``isOnlyHere`` means that the
    room is mirrored to Matrix but this message is not passed on.
    """

    id: str
    room_id: str
    number: int
    kind: MessageKind
    text: str
    about: str | None
    author_id: str | None
    author_name: str
    matrix_sender: str | None
    said_at: str
    edited_at: str | None
    revision: int
    removed_by: Literal["author", "moderator"] | None
    is_held: bool
    is_mine: bool
    is_pinned: bool
    is_folded: bool
    is_only_here: bool
    reply: ReplyShown | None
    reactions: list[ReactionShown]
    mentions: list[str]
    notice: str | None
    poll: PollShown | None
    pictures: list[ChatPictureShown]


class ChatMessagePage(msgspec.Struct, rename="camel"):
    """Messages ordered by number. Use ``before`` and ``after`` to request earlier and later messages. Each is null if
    there are no such messages. ``cursor`` also leads to earlier messages.
    """

    messages: list[ChatMessageShown]
    before: int | None
    after: int | None
    cursor: str | None


class ChatFindingList(msgspec.Struct, rename="camel"):
    """Search results, newest first. ``cursor`` is null on the last page."""

    messages: list[ChatMessageShown]
    cursor: str | None


class RoomShown(msgspec.Struct, rename="camel"):
    """A room. ``audience`` has the values of the switches of this kind of room. ``lastNumber`` is the last number in
    its log. ``closedBy`` is ``host`` or ``clock``. ``matrix`` is the state of the mirror.
    """

    id: str
    kind: RoomKind
    event_id: str | None
    series_id: str | None
    group_id: str | None
    with_user_id: str | None
    name: str
    about: str
    position: int
    audience: dict[str, str]
    history: HistoryMode
    slow_seconds: int
    holds_messages: bool
    retention: RoomRetention
    last_number: int
    closed_at: str | None
    closed_by: str | None
    matrix: str
    revision: int
    access: AccessName


class MyRoomShown(msgspec.Struct, rename="camel"):
    """A room of the caller. ``unread`` and ``mentioned`` stop counting at 100. ``last`` is the latest message."""

    room: RoomShown
    unread: int
    mentioned: int
    last: ChatMessageShown | None


class RoomList(msgspec.Struct, rename="camel"):
    """Rooms with unread messages first. ``cursor`` is null on the last page."""

    rooms: list[MyRoomShown]
    cursor: str | None


class SubjectRooms(msgspec.Struct, rename="camel"):
    """The rooms of an event, series or group that the caller can read. ``access`` says what they could do in a room
    that nobody has opened yet.
    """

    rooms: list[RoomShown]
    access: AccessName


class MemberShown(msgspec.Struct, rename="camel"):
    """A person in the room. ``because`` says why they are in it: ``hosting``, ``attendance``, ``group``, ``following``
    or ``direct``.
    """

    person_id: str
    display_name: str
    access: AccessName
    because: list[str]


class ChatMemberList(msgspec.Struct, rename="camel"):
    """People ordered by name. ``others`` is the number of further people, whose attendance is private; it is null in
    large rooms. ``cursor`` is null on the last page.
    """

    members: list[MemberShown]
    others: int | None
    cursor: str | None


class ReadShown(msgspec.Struct, rename="camel"):
    """The caller's read mark."""

    number: int


class UnreadShown(msgspec.Struct, rename="camel"):
    """The number of unread messages in all rooms that the caller has not muted. Counting stops at 1,000."""

    messages: int
    mentions: int
    rooms: int


def room_shown(room: Room, access: Access) -> RoomShown:
    return RoomShown(
        id=room.id,
        kind=room.kind,
        event_id=room.event_id,
        series_id=room.series_id,
        group_id=room.group_id,
        with_user_id=room.with_user_id,
        name=room.name,
        about=room.about,
        position=room.position,
        audience={switch.value: room.switch(switch) for switch in SWITCHES_OF[room.kind]},
        history=room.history,
        slow_seconds=room.slow_seconds,
        holds_messages=room.holds_messages,
        retention=room.retention,
        last_number=room.last_number,
        closed_at=iso_or_none(room.closed_at),
        closed_by=room.closed_by,
        matrix=room.matrix_state,
        revision=room.revision,
        access=access_name(access),
    )


def access_name(access: Access) -> AccessName:
    names: dict[Access, AccessName] = {
        Access.NONE: "none",
        Access.READ: "read",
        Access.WRITE: "write",
        Access.MODERATE: "moderate",
    }
    return names[access]


async def my_rooms_shown(reader: Reader, rooms: list[MyRoom], viewer: UserId) -> list[MyRoomShown]:
    """The rooms, each with its latest message."""
    last = await by_ids(reader, [ChatMessageId(one.last_message_id) for one in rooms if one.last_message_id])
    messages = {one.id: one for one in await shown(reader, list(last.values()), viewer)}
    return [
        MyRoomShown(
            room_shown(one.room, one.access),
            one.unread,
            one.mentioned,
            message_shown(messages[ChatMessageId(one.last_message_id)]) if one.last_message_id in messages else None,
        )
        for one in rooms
    ]


def message_shown(shown_message: ShownMessage) -> ChatMessageShown:
    message, reply = shown_message.message, shown_message.reply
    by_author = message.is_taken_back
    removed_by: Literal["author", "moderator"] | None = None
    if message.is_removed:
        removed_by = "author" if by_author else "moderator"
    return ChatMessageShown(
        id=message.id,
        room_id=message.room_id,
        number=message.number,
        kind=message.kind,
        text=message.body,
        about=message.about,
        author_id=message.user_id,
        author_name=shown_message.name,
        matrix_sender=message.matrix_sender,
        said_at=iso(message.said_at),
        edited_at=iso_or_none(message.edited_at),
        revision=message.revision,
        removed_by=removed_by,
        is_held=message.is_held,
        is_mine=shown_message.is_mine,
        is_pinned=shown_message.is_pinned,
        is_folded=shown_message.is_folded,
        is_only_here=shown_message.is_only_here,
        reply=ReplyShown(reply.id, reply.number, reply.user_id, reply.name, reply.text, reply.is_removed)
        if reply
        else None,
        reactions=[ReactionShown(each.emoji, each.number, each.is_mine) for each in shown_message.reactions],
        mentions=list(shown_message.mentions),
        notice=str(message.details["notice"]) if "notice" in message.details else None,
        poll=_poll_shown(shown_message),
        pictures=pictures_shown(message.pictures),
    )


def _poll_shown(shown_message: ShownMessage) -> PollShown | None:
    poll = poll_in(shown_message.message.details)
    if poll is None:
        return None
    return PollShown(
        [
            ChoiceShown(choice.text, choice.date, shown_message.votes.get(number, 0), number in shown_message.my_votes)
            for number, choice in enumerate(poll.choices)
        ],
        poll.several,
        iso_or_none(poll.ends_at),
    )


def member_shown(member: RoomMember) -> MemberShown:
    return MemberShown(member.user_id, member.name, access_name(member.access), list(member.because))
