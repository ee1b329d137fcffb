"""Chat in the JSON API: what is sent and answered."""

from typing import ClassVar, Literal

import msgspec

from groundwork.clock import Instant
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
from openmeet.domain.chat.rooms import MyRoom
from openmeet.domain.users.model import UserId
from openmeet.i18n.formatting import iso
from openmeet.web.chat.pictures import ChatPictureShown, pictures_shown

AccessName = Literal["none", "read", "write", "moderate"]


class PollWanted(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """A poll; the text of the message is its question. ``choices`` and ``dates``: 2 to 10 together, the dates first. ``dates``:
    original dates of the series, for “which date?”. ``several``: whether people may choose more than one. ``endsAt``: when voting
    ends; by default its author ends it.
    """

    EXAMPLE: ClassVar = {"choices": ["Chess", "Go"], "several": False}

    choices: list[str] = []
    dates: list[str] = []
    several: bool = False
    ends_at: str | None = None


class PictureWanted(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """A picture to send. ``id``: of the upload. ``alt``: what it shows, for people who don’t see it."""

    id: str
    alt: str = ""


class ChatMessageWanted(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """A message. ``clientId``: chosen by the client, 1 to 64 letters, digits or ``-_.:``; the same again answers the stored
    message. ``about``: the original date of the series that it is about; without it the date under way or the next one, and null for
    none. ``mentions``: ids of people, at most 20. ``signal`` instead of a text: one tap before an event.
    ``pictures``: up to four that were uploaded to the room before; then the text may be empty.
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
    """A new text, within 24 hours. ``ifRevision``: 409 if the message has changed since."""

    text: str
    if_revision: int | None = None


class ActReason(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """Why a host does this. The person concerned reads it."""

    reason: str = ""


class ChatVote(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """Numbers of the choices, from 0; none withdraws the vote."""

    choices: list[int]


class ReadMark(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """The number up to which the caller has read; it only moves forward."""

    number: int


class ChatNotifications(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """What the caller wants to hear of a room. ``usual``: as their preferences say. ``mutedUntil``: nothing until then."""

    level: NotificationLevel
    muted_until: str | None = None


class RoomOpening(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """Which room to open. Exactly one of ``event``, ``series`` and ``group``, by slug. ``date``: the original date, for the room of
    one date of a series. ``name``: of a channel. ``with``: the person of a direct room; the caller by default.
    """

    kind: RoomKind
    event: str | None = None
    series: str | None = None
    group: str | None = None
    date: str | None = None
    name: str = ""
    with_: str | None = msgspec.field(default=None, name="with")


class RoomChange(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """Settings to change. ``audience``: switches by name, see ``audience`` of the room. ``slowSeconds``: 0 to 3,600."""

    name: str | None = None
    about: str | None = None
    audience: dict[str, str] | None = None
    history: HistoryMode | None = None
    slow_seconds: int | None = None
    holds_messages: bool | None = None
    retention: RoomRetention | None = None
    position: int | None = None


class ReactionShown(msgspec.Struct, rename="camel"):
    """How many reacted with an emoji. ``isMine``: whether the caller did; left out in the live stream, which all readers share."""

    emoji: str
    number: int
    is_mine: bool | msgspec.UnsetType = msgspec.UNSET


class ReplyShown(msgspec.Struct, rename="camel"):
    """The message that this one answers: its first line, empty where it is no longer there."""

    id: str
    number: int
    author_id: str | None
    author_name: str
    text: str
    is_removed: bool


class ChoiceShown(msgspec.Struct, rename="camel"):
    """A choice of a poll. ``date``: the original date of the series, where it is one. ``isMine``: whether the caller voted for it;
    left out in the live stream.
    """

    text: str
    date: str | None
    votes: int
    is_mine: bool | msgspec.UnsetType = msgspec.UNSET


class PollShown(msgspec.Struct, rename="camel"):
    """A poll. ``endsAt``: null until its author ends it."""

    choices: list[ChoiceShown]
    several: bool
    ends_at: str | None


class ChatMessageShown(msgspec.Struct, rename="camel"):
    """A message. ``number``: its place in the room's log. ``text`` is empty where it was removed, and the code of a signal. ``authorId`` is null for
    notices and Matrix guests (``matrixSender``). ``removedBy``: ``author`` or ``moderator``. ``isHeld``: waits for a moderator.
    ``isFolded``: by somebody that the caller blocks or mutes. ``mentions``: ids of people.
    ``isOnlyHere``: the room is mirrored to Matrix, and this message is not passed on.
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
    """Messages in the order of their numbers. ``before`` and ``after`` ask for what is on either side; null where there is
    nothing. ``cursor`` leads to earlier messages.
    """

    messages: list[ChatMessageShown]
    before: int | None
    after: int | None
    cursor: str | None


class ChatFindingList(msgspec.Struct, rename="camel"):
    """Messages found, the newest first; ``cursor`` is null on the last page."""

    messages: list[ChatMessageShown]
    cursor: str | None


class RoomShown(msgspec.Struct, rename="camel"):
    """A room. ``audience``: the switches that it has, with their values. ``lastNumber``: of its log. ``closedBy``: ``host`` or
    ``clock``. ``matrix``: the state of the mirror.
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
    """A room of the caller. ``unread`` and ``mentioned`` stop counting at 100. ``last``: the latest message."""

    room: RoomShown
    unread: int
    mentioned: int
    last: ChatMessageShown | None


class RoomList(msgspec.Struct, rename="camel"):
    """Rooms with unread messages first; ``cursor`` is null on the last page."""

    rooms: list[MyRoomShown]
    cursor: str | None


class SubjectRooms(msgspec.Struct, rename="camel"):
    """The rooms of an event, series or group that the caller may read. ``access``: what they could do in a room that nobody has
    opened yet.
    """

    rooms: list[RoomShown]
    access: AccessName


class MemberShown(msgspec.Struct, rename="camel"):
    """Somebody in the room. ``because``: ``hosting``, ``attendance``, ``group``, ``following``, ``direct``."""

    person_id: str
    display_name: str
    access: AccessName
    because: list[str]


class ChatMemberList(msgspec.Struct, rename="camel"):
    """People by name. ``others``: how many more are in the room whose attendance is private, null in large rooms; ``cursor``: null on the last page."""

    members: list[MemberShown]
    others: int | None
    cursor: str | None


class ReadShown(msgspec.Struct, rename="camel"):
    """The mark of the caller."""

    number: int


class UnreadShown(msgspec.Struct, rename="camel"):
    """What is unread in all rooms of the caller that they have not muted; counting stops at 1,000."""

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
        closed_at=_iso(room.closed_at),
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
    """Each with its latest message."""
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


def message_shown(one: ShownMessage) -> ChatMessageShown:
    message, reply = one.message, one.reply
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
        author_name=one.name,
        matrix_sender=message.matrix_sender,
        said_at=iso(message.said_at),
        edited_at=_iso(message.edited_at),
        revision=message.revision,
        removed_by=removed_by,
        is_held=message.is_held,
        is_mine=one.is_mine,
        is_pinned=one.is_pinned,
        is_folded=one.is_folded,
        is_only_here=one.is_only_here,
        reply=ReplyShown(reply.id, reply.number, reply.user_id, reply.name, reply.text, reply.is_removed)
        if reply
        else None,
        reactions=[ReactionShown(each.emoji, each.number, each.is_mine) for each in one.reactions],
        mentions=list(one.mentions),
        notice=str(message.details["notice"]) if "notice" in message.details else None,
        poll=_poll(one),
        pictures=pictures_shown(message.pictures),
    )


def _poll(one: ShownMessage) -> PollShown | None:
    poll = poll_in(one.message.details)
    if poll is None:
        return None
    return PollShown(
        [
            ChoiceShown(choice.text, choice.date, one.votes.get(number, 0), number in one.my_votes)
            for number, choice in enumerate(poll.choices)
        ],
        poll.several,
        _iso(poll.ends_at),
    )


def member_shown(one: RoomMember) -> MemberShown:
    return MemberShown(one.user_id, one.name, access_name(one.access), list(one.because))


def _iso(at: Instant | None) -> str | None:
    return None if at is None else iso(at)
