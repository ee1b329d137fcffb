"""Chat: types of the API, as far as this client uses them. Unknown members are ignored."""

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

Access = Literal["none", "read", "write", "moderate"]
Level = Literal["usual", "all", "mentions", "none"]
Signal = Literal["running_late", "here", "where_are_you"]


class NewChatPicture(msgspec.Struct, rename="camel", omit_defaults=True):
    """A picture to send. ``id``: the id of its upload. ``alt``: what it shows, for people who can’t see it."""

    id: str
    alt: str = ""


class UploadedPicture(msgspec.Struct, rename="camel"):
    """An uploaded picture, which must be sent with a message within a day."""

    id: str
    width: int
    height: int


class ChatPicture(msgspec.Struct, rename="camel"):
    """A picture of a message. Pass ``url`` or ``small_url`` to ``Chat.picture`` to download it."""

    id: str
    url: str
    small_url: str
    alt: str
    width: int
    height: int


class NewChatPoll(msgspec.Struct, rename="camel", omit_defaults=True):
    """A poll, whose question is the text of the message. It has 2 to 10 options: ``choices`` and ``dates`` of the
    series together.
    """

    choices: list[str] = []
    dates: list[str] = []
    several: bool = False
    ends_at: str | None = None


class NewChatMessage(msgspec.Struct, rename="camel", omit_defaults=True):
    """A message to send. ``client_id``: an id that you choose; sending the same one again has no effect. ``about``: a
    date of the series. ``signal``: sent instead of a text, around the time of an event.
    """

    client_id: str
    text: str = ""
    about: str | None = None
    reply_to: str | None = None
    mentions: list[str] = []
    pictures: list[NewChatPicture] = []
    signal: Signal | None = None
    poll: NewChatPoll | None = None


class ChatRoom(msgspec.Struct, rename="camel"):
    """A room. ``last_number``: the number of its last message. ``access``: what the caller may do."""

    id: str
    kind: str
    name: str
    last_number: int
    access: Access
    revision: int
    closed_at: str | None = None


class MyChatRoom(msgspec.Struct, rename="camel"):
    """A room of the caller. ``unread`` and ``mentioned`` are counted up to 100."""

    room: ChatRoom
    unread: int
    mentioned: int


class ChatRoomPage(msgspec.Struct, rename="camel"):
    """A page of rooms, those with unread messages first."""

    rooms: list[MyChatRoom]
    cursor: str | None


class SubjectRooms(msgspec.Struct, rename="camel"):
    """Rooms of an event, series or group. ``access``: the access that the caller would have to a room that has not been
    opened yet.
    """

    rooms: list[ChatRoom]
    access: Access


class ChatReaction(msgspec.Struct, rename="camel"):
    """How many people reacted with an emoji. ``is_mine`` is not set in the live stream."""

    emoji: str
    number: int
    is_mine: bool | UnsetType = UNSET


class ChatReply(msgspec.Struct, rename="camel"):
    """The message that another one replies to."""

    id: str
    number: int
    author_name: str
    text: str
    is_removed: bool


class ChatChoice(msgspec.Struct, rename="camel"):
    """An option of a poll. ``date``: the date of the series, if it is one. ``is_mine`` is not set in the live stream."""

    text: str
    date: str | None
    votes: int
    is_mine: bool | UnsetType = UNSET


class ChatPoll(msgspec.Struct, rename="camel"):
    """A poll. ``ends_at``: None until its author ends it."""

    choices: list[ChatChoice]
    several: bool
    ends_at: str | None


class ChatMessage(msgspec.Struct, rename="camel"):
    """A message. ``number``: its position in the room's log. ``text`` is empty if it was removed."""

    id: str
    room_id: str
    number: int
    kind: str
    text: str
    author_id: str | None
    author_name: str
    said_at: str
    revision: int
    removed_by: Literal["author", "moderator"] | None
    is_held: bool
    is_mine: bool
    reactions: list[ChatReaction]
    mentions: list[str]
    about: str | None = None
    edited_at: str | None = None
    pictures: list[ChatPicture] = []
    is_pinned: bool = False
    poll: ChatPoll | None = None
    reply: ChatReply | None = None


class ChatMessagePage(msgspec.Struct, rename="camel"):
    """Messages in the order of their numbers. Use ``before`` and ``after`` to read on in either direction, ``cursor``
    for earlier ones.
    """

    messages: list[ChatMessage]
    before: int | None
    after: int | None
    cursor: str | None = None


class ChatFindings(msgspec.Struct, rename="camel"):
    """Messages that match a search, newest first."""

    messages: list[ChatMessage]
    cursor: str | None


class ChatMember(msgspec.Struct, rename="camel"):
    """A person in the room. ``because``: ``hosting``, ``attendance``, ``group``, ``following``, ``direct``."""

    person_id: str
    display_name: str
    access: Access
    because: list[str]


class ChatMemberPage(msgspec.Struct, rename="camel"):
    """A page of people, by name. ``others``: the number of further people in the room, whose attendance is private."""

    members: list[ChatMember]
    others: int | None
    cursor: str | None


class UnreadChat(msgspec.Struct, rename="camel"):
    """Number of unread messages in all rooms, counted up to 1,000."""

    messages: int
    mentions: int
    rooms: int


class ReadMark(msgspec.Struct, rename="camel"):
    """The number up to which the caller has read."""

    number: int


class ChatRemoval(msgspec.Struct, rename="camel"):
    """Why one of the caller’s messages was removed, and the outcome of their objection."""

    reason: str
    at: str
    text: str
    objection: str | None
    is_decided: bool
    decision: str


class ChatSanction(msgspec.Struct, rename="camel"):
    """A mute or ban in force. ``decided_by``: the id of the person who decided it. ``of_site``: the moderators of the site
    imposed it, and only they can lift it.
    """

    person_id: str
    kind: Literal["mute", "ban"]
    reason: str
    until: str | None
    decided_by: str
    at: str
    of_site: bool


class ChatSanctions(msgspec.Struct, rename="camel"):
    """Sanctions of one person in a room."""

    sanctions: list[ChatSanction]


class ChatReport(msgspec.Struct, rename="camel"):
    """A report about a message; the reporter is not named."""

    id: str
    message_id: str
    reason: str
    words: str
    at: str


class ChatObjection(msgspec.Struct, rename="camel"):
    """An objection that waits for a decision."""

    message_id: str
    words: str
    reason: str


class ChatAction(msgspec.Struct, rename="camel"):
    """An action of a moderator. ``person_id``: the person concerned. ``acted_by``: None if the program did it."""

    id: str
    act: str
    message_id: str | None
    person_id: str | None
    acted_by: str | None
    reason: str
    until: str | None
    at: str


class ChatExportLine(msgspec.Struct, rename="camel"):
    """A message of an export. ``name``: the author's name, or a number for a person who answered privately."""

    id: str
    number: int
    said_at: str
    name: str
    text: str
    kind: str
    about: str | None
    reply_to: str | None
    edited_at: str | None
    is_removed: bool


class ChatModeration(msgspec.Struct, rename="camel"):
    """Reports, objections and held messages that wait for a decision of a room's hosts, and a page of the hosts'
    actions, newest first. ``held``: ids of held messages.
    """

    acts: list[ChatAction]
    reports: list[ChatReport]
    objections: list[ChatObjection]
    held: list[str]
    cursor: str | None = None


class ChatEvent(msgspec.Struct, rename="camel"):
    """An event in a room. ``name``: ``message``, ``edited``, ``removed``, ``reactions``, ``pins``, ``room``, or
    ``again``, which means that too much has happened and the list of messages has to be read again.
    """

    name: str = ""
    number: int = 0
    message: ChatMessage | None = None
    is_closed: bool | None = None
