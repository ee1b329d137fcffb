"""Values of chat: rooms, messages, the log of a room, and a person's reading state of a room."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Final, NewType

from groundwork.clock import DAY, HOUR, MINUTE, Instant
from openmeet.domain.events.model import EventId
from openmeet.domain.groups.model import GroupId
from openmeet.domain.series.model import SeriesId
from openmeet.domain.users.model import UserId

RoomId = NewType("RoomId", str)
ChatMessageId = NewType("ChatMessageId", str)
# Identifies a picture in a message. The key is random and is also the name of the picture's files.
SentPictureKey = NewType("SentPictureKey", str)

MAX_TEXT: Final = 4_000
MAX_LINES: Final = 100
MAX_MENTIONS: Final = 20
MAX_NAME: Final = 60
MAX_ABOUT: Final = 300
MAX_REASON: Final = 500
MAX_CLIENT_ID: Final = 64
MAX_CHANNELS: Final = 20
MAX_PINS: Final = 10
MAX_EMOJI_KINDS: Final = 20
# Reactions of one person to one message. Without a limit, one person could use up all ``MAX_EMOJI_KINDS``.
MAX_OWN_REACTIONS: Final = 5
MAX_SLOW_SECONDS: Final = 3_600
# Pictures in one message.
MAX_PICTURES: Final = 4

# How long an author may edit, how long moderators see earlier and removed texts, how long signals are kept.
EDITABLE_FOR: Final = 24 * HOUR
SEALED_FOR: Final = 30 * DAY
SIGNAL_KEPT: Final = DAY
# How far back an answer to a date of a series gives access to its conversation.
ANSWER_COUNTS_FOR: Final = 30 * DAY
# A room turns read-only this long after its last date.
ARCHIVED_AFTER: Final = 30 * DAY
# ``RoomRetention.AFTER_DATE``: a message is deleted this long after the date.
KEPT_AFTER_DATE: Final = 30 * DAY
# A signal is offered from this long before the start until the end of the event.
SIGNALS_BEFORE: Final = 120 * MINUTE
# A date that is over stays the default heading for this long after its end.
HEADING_AFTER_END: Final = 6 * HOUR


class RoomKind(StrEnum):
    """The kind of subject that a room has, which decides who is in it."""

    EVENT = "event"
    SERIES = "series"
    DATE = "date"
    CHANNEL = "channel"
    HOSTS = "hosts"
    DIRECT = "direct"


class SubjectKind(StrEnum):
    """The kind of subject of a room."""

    EVENT = "event"
    SERIES = "series"
    GROUP = "group"


class Access(IntEnum):
    """A person's access to a room. Each level includes the previous ones."""

    NONE = 0
    READ = 1
    WRITE = 2
    MODERATE = 3


class AudienceSwitch(StrEnum):
    """The switches with which a host decides who can read and write in a room. Only values that differ from the default
    are stored.

    ``INTERESTED``: write (default), read or none. ``MEMBERS``: write (default) or none. ``FOLLOWERS``: read (default)
    or none. ``PENDING``: none (default) or read; not in series. ``ANYBODY``: none (default) or read; public events and
    series only. ``ANNOUNCEMENTS``: no (default) or yes: only people who run the group can write in this channel.
    """

    INTERESTED = "interested"
    MEMBERS = "members"
    FOLLOWERS = "followers"
    PENDING = "pending"
    ANYBODY = "anybody"
    ANNOUNCEMENTS = "announcements"


# The values of each switch, the default first.
SWITCHES: Final[Mapping[AudienceSwitch, tuple[str, ...]]] = {
    AudienceSwitch.INTERESTED: ("write", "read", "none"),
    AudienceSwitch.MEMBERS: ("write", "none"),
    AudienceSwitch.FOLLOWERS: ("read", "none"),
    AudienceSwitch.PENDING: ("none", "read"),
    AudienceSwitch.ANYBODY: ("none", "read"),
    AudienceSwitch.ANNOUNCEMENTS: ("no", "yes"),
}
# Which switches each kind of room has.
SWITCHES_OF: Final[Mapping[RoomKind, tuple[AudienceSwitch, ...]]] = {
    RoomKind.EVENT: (
        AudienceSwitch.INTERESTED,
        AudienceSwitch.MEMBERS,
        AudienceSwitch.PENDING,
        AudienceSwitch.ANYBODY,
    ),
    RoomKind.DATE: (
        AudienceSwitch.INTERESTED,
        AudienceSwitch.MEMBERS,
        AudienceSwitch.PENDING,
        AudienceSwitch.ANYBODY,
    ),
    RoomKind.SERIES: (
        AudienceSwitch.INTERESTED,
        AudienceSwitch.MEMBERS,
        AudienceSwitch.FOLLOWERS,
        AudienceSwitch.ANYBODY,
    ),
    RoomKind.CHANNEL: (AudienceSwitch.ANNOUNCEMENTS,),
    RoomKind.HOSTS: (),
    RoomKind.DIRECT: (),
}


class HistoryMode(StrEnum):
    """The messages that newcomers can read: all, or only those sent since they joined."""

    ALL = "all"
    SINCE_JOINING = "since_joining"


class RoomRetention(StrEnum):
    """How long messages are kept. The community's limit is the maximum."""

    FOREVER = "forever"
    YEAR = "year"
    QUARTER = "90_days"
    AFTER_DATE = "30_days_after_date"


class NotificationLevel(StrEnum):
    """The messages of a room that a person is notified of. ``USUAL`` follows their preferences."""

    USUAL = "usual"
    ALL = "all"
    MENTIONS = "mentions"
    NONE = "none"


class EnteredBy(StrEnum):
    """The reason why a person had access when they joined."""

    ATTENDANCE = "attendance"
    GROUP = "group"
    HOSTING = "hosting"
    FOLLOWING = "following"
    DIRECT = "direct"
    OPENED = "opened"


class MessageKind(StrEnum):
    """``SIGNAL`` is one of ``Signal`` and kept for a day. ``NOTICE`` is a message of the program about the room."""

    TEXT = "text"
    SIGNAL = "signal"
    NOTICE = "notice"
    POLL = "poll"


# Kinds with text that people wrote. They are searched, count as unread, and cause notifications.
WRITTEN: Final = frozenset({MessageKind.TEXT, MessageKind.POLL})


class Signal(StrEnum):
    """Messages that people who are on their way to an event can send with one tap."""

    RUNNING_LATE = "running_late"
    HERE = "here"
    WHERE_ARE_YOU = "where_are_you"


class RoomNotice(StrEnum):
    """Notices of the program about the room."""

    HISTORY_CHANGED = "history_changed"
    MATRIX_NEW_ROOM = "matrix_new_room"


class LogKind(StrEnum):
    """Kinds of log entries of a room."""

    POSTED = "said"
    EDITED = "edited"
    REMOVED = "removed"
    RESTORED = "restored"
    REACTED = "reacted"
    PINNED = "pinned"
    ROOM = "room"


@dataclass(frozen=True, slots=True)
class RoomSubject:
    """The event, series or group that a room belongs to."""

    kind: SubjectKind
    id: str


@dataclass(frozen=True, slots=True)
class Room:
    """A stored room. ``name`` is set for channels and empty otherwise. ``audience`` has the switches that differ from
    the default.

    ``last_number`` is the number of the latest log entry. ``closed_by`` is ``host``, or ``clock`` if it was closed
    after its last date. ``with_user_id`` is the person in a direct room. While the history is ``ALL``, newcomers read
    messages with a number greater than ``history_floor``, which is 0 unless the history had another mode before.
    ``matrix_since`` is when mirroring was switched on.
    """

    id: RoomId
    kind: RoomKind
    event_id: EventId | None
    series_id: SeriesId | None
    group_id: GroupId | None
    with_user_id: UserId | None
    name: str
    about: str
    position: int
    audience: Mapping[AudienceSwitch, str]
    history: HistoryMode
    history_floor: int
    slow_seconds: int
    holds_messages: bool
    retention: RoomRetention
    last_number: int
    last_said_at: Instant | None
    matrix_room_id: str | None
    matrix_state: str
    matrix_guests: bool
    matrix_since: Instant | None
    revision: int
    closed_at: Instant | None
    closed_by: str | None
    created_at: Instant
    updated_at: Instant

    @property
    def newcomer_floor(self) -> int:
        """Newcomers read messages with a number greater than this; 0 means all messages."""
        return self.history_floor if self.history is HistoryMode.ALL else self.last_number

    @property
    def is_mirrored(self) -> bool:
        """Whether its messages are sent to Matrix."""
        return self.matrix_state != "off"

    @property
    def subject(self) -> RoomSubject:
        if self.event_id is not None:
            return RoomSubject(SubjectKind.EVENT, self.event_id)
        if self.series_id is not None:
            return RoomSubject(SubjectKind.SERIES, self.series_id)
        return RoomSubject(SubjectKind.GROUP, self.group_id or "")

    @property
    def is_closed(self) -> bool:
        return self.closed_at is not None

    def switch(self, name: AudienceSwitch) -> str:
        """The value of a switch, stored or default."""
        return self.audience.get(name, SWITCHES[name][0])


@dataclass(frozen=True, slots=True)
class MessagePicture:
    """A picture of a message. ``alt`` is its description, empty if it has none. Sizes are in pixels."""

    key: SentPictureKey
    alt: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class NewPicture:
    """An uploaded picture that is about to be sent, and its description."""

    key: SentPictureKey
    alt: str = ""


@dataclass(frozen=True, slots=True)
class MessageAuthor:
    """The author of a message: either a person with a local account, or a guest by their Matrix address. The other
    field is None.
    """

    user_id: UserId | None = None
    matrix_sender: str | None = None

    @property
    def column(self) -> str:
        """The column of ``chat_messages`` that has the author. It is indexed."""
        return "matrix_sender" if self.user_id is None else "user_id"

    @property
    def value(self) -> str | None:
        return self.user_id or self.matrix_sender


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """A stored message. ``number`` is its position in the room's log. Its author is ``user_id`` or ``matrix_sender``; a
    notice has neither.

    ``about`` is the original date in the series (``2026-03-03T18:00:00``) under whose heading it is shown. ``details``
    has the choices of a poll, the code of a signal or a notice, and the pictures. ``body`` is empty once it was taken
    back or removed. If ``removed_by_site``, a moderator of the community removed it, and only such a moderator can
    restore it.
    """

    id: ChatMessageId
    room_id: RoomId
    number: int
    kind: MessageKind
    body: str
    said_at: Instant
    details: Mapping[str, object] = field(default_factory=dict)
    user_id: UserId | None = None
    matrix_sender: str | None = None
    client_id: str | None = None
    about: str | None = None
    reply_to: ChatMessageId | None = None
    external_id: str | None = None
    revision: int = 1
    edited_at: Instant | None = None
    removed_at: Instant | None = None
    removed_by: UserId | None = None
    held_at: Instant | None = None
    removed_by_site: bool = False

    @property
    def pictures(self) -> tuple[MessagePicture, ...]:
        return pictures_in(self.details)

    @property
    def is_removed(self) -> bool:
        return self.removed_at is not None

    @property
    def is_taken_back(self) -> bool:
        """Whether it was removed by its author, not by a moderator."""
        # A guest from Matrix has no id. Their messages can only be removed by moderators and by themselves.
        return self.removed_at is not None and self.removed_by == self.user_id

    @property
    def is_held(self) -> bool:
        """Whether it waits for a moderator. Only moderators and its author can see it."""
        return self.held_at is not None


@dataclass(frozen=True, slots=True)
class ChatLogEntry:
    """One entry of a room's log. ``number`` has no gaps and follows commit order."""

    room_id: RoomId
    number: int
    kind: LogKind
    message_id: ChatMessageId | None
    at: Instant


@dataclass(frozen=True, slots=True)
class Reading:
    """A person's state in a room. ``read_number`` is the last number they read. ``entered_number`` is the room's number
    when they joined; with ``SINCE_JOINING`` they read only what comes after it.
    """

    room_id: RoomId
    user_id: UserId
    read_number: int
    level: NotificationLevel
    muted_until: Instant | None
    entered_at: Instant
    entered_number: int
    entered_by: EnteredBy
    seen_at: Instant | None


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message to be sent. ``client_id`` is chosen by the client. If it is sent again, the stored message is returned.

    ``mentions`` are ids of people; those who may not read the room are left out. ``pictures`` were uploaded by the same
    person.
    """

    text: str = ""
    client_id: str | None = None
    about: str | None = None
    reply_to: ChatMessageId | None = None
    mentions: tuple[UserId, ...] = ()
    signal: Signal | None = None
    details: Mapping[str, object] = field(default_factory=dict)
    kind: MessageKind = MessageKind.TEXT
    pictures: tuple[NewPicture, ...] = ()


def pictures_in(details: Mapping[str, object]) -> tuple[MessagePicture, ...]:
    """The pictures listed in the stored details of a message."""
    listed = details.get("pictures")
    return tuple(
        MessagePicture(SentPictureKey(one["key"]), one["alt"], one["width"], one["height"])
        for one in (listed if isinstance(listed, list) else [])
    )


def with_pictures(details: Mapping[str, object], pictures: Sequence[MessagePicture]) -> Mapping[str, object]:
    """Details that list these pictures."""
    if not pictures:
        return details
    listed = [{"key": one.key, "alt": one.alt, "width": one.width, "height": one.height} for one in pictures]
    return {**details, "pictures": listed}
