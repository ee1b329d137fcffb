"""Values of the legacy database, and its oddities. Times are instants; legacy timestamps without a zone were UTC."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from groundwork.clock import Instant
from groundwork.errors import Reason


class LegacyImportReason(Reason):
    """Why the import of the older model, or a row of it, is refused. The messages are in
    ``i18n/reasons/calendars.py``.
    """

    YEAR_OUT_OF_RANGE = "legacy_import.year_out_of_range"
    UNKNOWN_ROW = "legacy_import.unknown_row"
    NO_SUCH_FILE = "legacy_import.no_such_file"
    MALFORMED_TIME = "legacy_import.malformed_time"
    NOT_JSON = "legacy_import.not_json"
    DATABASE_UNREACHABLE = "legacy_import.database_unreachable"
    LINE_TOO_LONG = "legacy_import.line_too_long"
    NOTHING_IMPORTED = "legacy_import.nothing_imported"
    NOT_THE_OLDER_MODEL = "legacy_import.not_the_older_model"
    BUILT_UPON = "legacy_import.built_upon"


@dataclass(frozen=True, slots=True)
class OldUser:
    """A user. ``did`` is set for users who came from the network."""

    id: int
    email: str | None
    name: str
    did: str | None
    is_shadow: bool
    is_deleted: bool
    created_at: Instant | None


@dataclass(frozen=True, slots=True)
class OldGroup:
    """A group. ``visibility`` is the stored text, or ``None`` if absent."""

    id: int
    slug: str
    name: str
    description: str
    visibility: str | None
    requires_approval: bool
    location: str
    created_by: int | None
    matrix_room_id: str | None
    created_at: Instant | None


@dataclass(frozen=True, slots=True)
class OldMember:
    """A group membership. ``role`` is the stored text."""

    id: int
    group_id: int
    user_id: int
    role: str


@dataclass(frozen=True, slots=True)
class OldEvent:
    """An event, a recurring event, a date of one, or a split point. ``rule`` is the stored JSON or text."""

    id: int
    slug: str
    name: str
    description: str
    kind: str
    starts_at: Instant | None
    ends_at: Instant | None
    online_url: str
    location: str
    latitude: str
    longitude: str
    capacity: int | None
    status: str | None
    visibility: str | None
    user_id: int | None
    group_id: int | None
    matrix_room_id: str | None
    source_type: str | None
    source_id: str | None
    created_at: Instant | None
    zone: str | None = None
    rule: Mapping[str, Any] | str | None = None
    exceptions: tuple[str, ...] = ()
    until: Instant | None = None
    count: int | None = None
    is_recurring: bool = False
    is_all_day: bool = False
    parent_id: int | None = None
    is_exception: bool = False
    original_at: Instant | None = None
    is_split: bool = False

    @property
    def repeats(self) -> bool:
        return self.is_recurring or self.rule is not None


@dataclass(frozen=True, slots=True)
class OldRsvp:
    """A user's RSVP to an event. ``status`` and ``role`` are the stored texts."""

    id: int
    event_id: int
    user_id: int
    status: str | None
    role: str | None
    source_id: str | None
    created_at: Instant | None


@dataclass(frozen=True, slots=True)
class LegacyShape:
    """Which parts of the model a legacy database has: the recurrence columns and split points. Older databases lack one
    or both.
    """

    has_recurrence: bool
    has_split_points: bool

    @property
    def words(self) -> str:
        if not self.has_recurrence:
            return "without recurrence columns: every event is a single event"
        return "with recurrence columns" + (" and split points" if self.has_split_points else ", without split points")


@dataclass(slots=True)
class LegacyData:
    """Everything to import, ordered by id. ``oddities``: values that could not be read."""

    shape: LegacyShape
    users: dict[int, OldUser] = field(default_factory=dict)
    groups: dict[int, OldGroup] = field(default_factory=dict)
    members: list[OldMember] = field(default_factory=list)
    events: dict[int, OldEvent] = field(default_factory=dict)
    answers: dict[int, list[OldRsvp]] = field(default_factory=dict)
    oddities: list["LegacyOddity"] = field(default_factory=list)


class Oddity(StrEnum):
    """Kinds of oddity that somebody should review before the import. The value is the code in JSON reports."""

    NO_NUMBER = "no_number"
    UNREADABLE = "unreadable"
    NO_START = "no_start"
    NO_HOST = "no_host"
    NO_TITLE = "no_title"
    CUT = "cut"
    BAD_LINK = "bad_link"
    ENDS_BEFORE_START = "ends_before_start"
    BAD_CAPACITY = "bad_capacity"
    OVER_CAPACITY = "over_capacity"
    NO_VISIBILITY = "no_visibility"
    NO_GROUP = "no_group"
    DRAFT = "draft"
    NO_ZONE = "no_zone"
    UNKNOWN_ZONE = "unknown_zone"
    RULE_REFUSED = "rule_refused"
    COUNT_AND_UNTIL = "count_and_until"
    NO_RULE = "no_rule"
    ORPHAN = "orphan"
    NESTED = "nested"
    CIRCLE = "circle"
    NO_ORIGINAL_DATE = "no_original_date"
    SHIFTED = "shifted"
    NOT_BY_RULE = "not_by_rule"
    SAME_DATE_TWICE = "same_date_twice"
    EXCEPTION_WITHOUT_DATE = "exception_without_date"
    EXCEPTION_TAKES_PLACE = "exception_takes_place"
    EXCEPTION_SAYS_THE_SAME = "exception_says_the_same"
    SPLIT_AT_FIRST_DATE = "split_at_first_date"
    SPLITS_OVERLAP = "splits_overlap"
    SPLIT_WITHOUT_RULE = "split_without_rule"
    ENDED_BY_SPLIT = "ended_by_split"
    UNKNOWN_STATUS = "unknown_status"
    ANSWERED_TWICE = "answered_twice"
    NO_PERSON = "no_person"
    NO_EVENT = "no_event"
    EMAIL_TWICE = "email_twice"
    SLUG_TWICE = "slug_twice"
    ROOM_TWICE = "room_twice"


WORDS: Mapping[Oddity, str] = {
    Oddity.NO_NUMBER: "has no readable id; it is skipped",
    Oddity.UNREADABLE: "has a value that cannot be read; the value is ignored",
    Oddity.NO_START: "has no start; it is skipped",
    Oddity.NO_HOST: "no longer has a host; it is skipped",
    Oddity.NO_TITLE: "has no title; it is called (untitled)",
    Oddity.CUT: "has a text that is too long; the rest is cut off",
    Oddity.BAD_LINK: "has a link that is not safe to open; it is put into the description",
    Oddity.ENDS_BEFORE_START: "ends before it starts, or more than a year later; the end is dropped",
    Oddity.BAD_CAPACITY: "has an impossible number of places; it gets no limit",
    Oddity.OVER_CAPACITY: "has more attendees than places; all of them keep their places",
    Oddity.NO_VISIBILITY: "has no visibility; it becomes unlisted",
    Oddity.NO_GROUP: "belongs to a group that is not imported; it becomes private",
    Oddity.DRAFT: "was never published; it stays private",
    Oddity.NO_ZONE: "has no time zone; the given zone is used",
    Oddity.UNKNOWN_ZONE: "has an unknown time zone; the given zone is used",
    Oddity.RULE_REFUSED: "has a rule that is not supported; its dates are kept without a rule",
    Oddity.COUNT_AND_UNTIL: "has a rule with both COUNT and UNTIL; UNTIL is used",
    Oddity.NO_RULE: "has dates but no rule; the dates are kept without a rule",
    Oddity.ORPHAN: "is a date of an event that is not imported; it becomes a single event",
    Oddity.NESTED: "is a date of a date; it becomes a date of the series",
    Oddity.CIRCLE: "is a date of itself; it becomes a single event",
    Oddity.NO_ORIGINAL_DATE: "does not say which date of the series it is; its start is used",
    Oddity.SHIFTED: "has an original time that differs from its rule on that day; the rule’s time is used",
    Oddity.NOT_BY_RULE: "is on a day that is not in its rule; it is added as an extra date",
    Oddity.SAME_DATE_TWICE: "is a date that the series already has; it becomes a single event",
    Oddity.EXCEPTION_WITHOUT_DATE: "excludes a date that is not in its rule; the exclusion is ignored",
    Oddity.EXCEPTION_TAKES_PLACE: "excludes a date that has an event; the event stays",
    Oddity.EXCEPTION_SAYS_THE_SAME: "is marked as changed but does not differ from the series; it stays marked",
    Oddity.SPLIT_AT_FIRST_DATE: "splits the series at its first date; only the new rule is kept",
    Oddity.SPLITS_OVERLAP: (
        "starts a part where another part starts; the newer one is used, and this becomes a single event"
    ),
    Oddity.SPLIT_WITHOUT_RULE: "starts a part without a rule; the part has only its stored dates",
    Oddity.ENDED_BY_SPLIT: "continued after the date at which it was split; it now ends before that date",
    Oddity.UNKNOWN_STATUS: "has an answer with an unknown status; the answer is skipped",
    Oddity.ANSWERED_TWICE: "was answered twice by one person; the newer answer is used",
    Oddity.NO_PERSON: "was answered by somebody who is not imported; the answer is skipped",
    Oddity.NO_EVENT: "is about an event that is not imported; it is skipped",
    Oddity.EMAIL_TWICE: "has an e-mail address that somebody else also has; the older user keeps it",
    Oddity.SLUG_TWICE: "has a slug that is already used; it gets a new one",
    Oddity.ROOM_TWICE: "has the same chat room as another event; both keep it",
}


@dataclass(frozen=True, slots=True)
class LegacyOddity:
    """An oddity of one row. ``subject`` names the row, such as ``event 12``."""

    what: Oddity
    subject: str
    detail: str = ""

    @property
    def sentence(self) -> str:
        return f"{self.subject} {WORDS[self.what]}{f' ({self.detail})' if self.detail else ''}."
