"""Imports: the upload, what was parsed from it, the result, and the fields of an event at its last import, which show
whether a change was made in the file or on this site.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NewType

import msgspec

from groundwork.clock import DAY, Instant
from groundwork.errors import InvalidForm, Reason
from openmeet.domain.events.model import EventStatus
from openmeet.domain.events.rules import Submission, check
from openmeet.domain.events.submissions import values_of, values_of_event
from openmeet.domain.places.gazetteer import Gazetteer
from openmeet.domain.users.model import UserId
from openmeet.i18n import formatting

ImportId = NewType("ImportId", str)
PersonId = NewType("PersonId", str)

# How long an upload that nobody imports is kept.
KEPT = 7 * DAY
MAX_EVENTS = 500
MAX_PEOPLE = 20_000
MAX_CSV = 5_000_000
MAX_MESSAGE = 1_000
ZONE = "time_zone"
TIME_FIELDS: Final = ("starts", "ends", "time_zone", "all_day")
PLACE_FIELDS: Final = ("venue_name", "street", "postal_code", "locality", "region", "country", "point")
# The fields that a file can have, by their names in the form, in display order.
IMPORTED_FIELDS: Final = (
    "title",
    *TIME_FIELDS,
    "description",
    "mode",
    *PLACE_FIELDS,
    "online_url",
    "categories",
    "tags",
)
# Fields that change together, because a mixture of the old and the new time or place would be wrong.
_TOGETHER: Final = (TIME_FIELDS, PLACE_FIELDS)


class ImportReason(Reason):
    """Why an import of events or people is refused. The messages are in ``i18n/reasons/calendars.py``."""

    NO_EVENT_DESCRIBED = "import.no_event_described"
    UNKNOWN_ZONE = "import.unknown_zone"
    NO_SUCH_IMPORT = "import.no_such_import"
    LIST_TOO_LARGE = "import.list_too_large"
    NOT_A_LIST = "import.not_a_list"
    NOBODY_TO_INVITE = "import.nobody_to_invite"
    TOO_MANY_PEOPLE = "import.too_many_people"
    LIST_CHANGED = "import.list_changed"
    INVITATION_OVER = "import.invitation_over"
    INVITATION_USED = "import.invitation_used"
    TARGET_GONE = "import.target_gone"
    TARGET_NOT_SHOWN = "import.target_not_shown"  # nobody can open the event now, but later perhaps
    GROUP_GONE = "import.group_gone"
    EVENT_GONE = "import.event_gone"
    REJECTED_BY_HOST = "import.rejected_by_host"
    COLUMNS_CHANGED = "import.columns_changed"
    NO_SUCH_EVENT = "import.no_such_event"
    NO_SUCH_SERIES = "import.no_such_series"
    PROBLEMS = "import.problems"
    SOURCE_NEEDED = "import.source_needed"
    TARGET_OF_PEOPLE = "import.target_of_people"
    NO_PEOPLE = "import.no_people"
    FILE_NEEDED = "import.file_needed"
    FILE_EMPTY = "import.file_empty"
    NO_SUCH_LIST = "import.no_such_list"
    UPLOAD_EXPECTED = "import.upload_expected"
    LEFT_OUT = "import.left_out"
    LEFT_OUT_UNTITLED = "import.left_out_untitled"
    LOOKS_LIKE_YOURS = "import.looks_like_yours"
    LOOKS_LIKE_EARLIER = "import.looks_like_earlier"
    OVER = "import.over"


class ImportKind(StrEnum):
    """The kind of content of an import."""

    EVENTS = "events"
    GUESTS = "guests"
    MEMBERS = "members"


class Medium(StrEnum):
    """The form of an upload: a calendar file, the page of an event, or a table of people."""

    ICS = "ics"
    PAGE = "page"
    CSV = "csv"


@dataclass(frozen=True, slots=True)
class FileReading:
    """Settings for parsing a user's files: the zone of times without one, and the call servers of this installation.
    ``places`` is the list of places; None if there is none.
    """

    zone: str
    call_hosts: tuple[str, ...] = ()
    places: Gazetteer | None = None


@dataclass(frozen=True, slots=True)
class SelectedEvents:
    """Which events of an upload to import, by UID. ``to_create``: None for all that are not over and have no likely
    duplicate. ``to_update``: events imported before, whose changes in the file are applied.
    """

    to_create: frozenset[str] | None = None
    to_update: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Import:
    """An upload.

    ``target``: for contacts, the id of their event or group. ``columns``: the columns that the user chose. For events,
    the only entry is ``ZONE``: the time zone of events with none or an unknown one.
    """

    id: ImportId
    user_id: UserId
    what: ImportKind
    medium: Medium
    target: str
    source: str
    content: bytes
    columns: Mapping[str, str]
    outcome: Mapping[str, Any] | None
    created_at: Instant


class ImportMatch(StrEnum):
    """Whether an imported event is new. ``OWN``: it was exported from this site and belongs to the user."""

    NEW = "new"
    KNOWN = "known"
    OWN = "own"


@dataclass(frozen=True, slots=True)
class OccurrenceOverride:
    """A date of a series that is changed or cancelled.

    ``original`` is its original start. ``and_following``: all later dates change too. ``named_status``: its status if
    it was exported from this site (planned, postponed), which the import restores.
    """

    original: str
    typed: Submission
    is_cancelled: bool
    and_following: bool
    reason: str = ""
    named_status: EventStatus | None = None


def start_label(starts: datetime, *, is_all_day: bool) -> str:
    """When a single event of a file starts: ``Sat 4 Jul 2026, 18:00``. With the year, because some events are old."""
    day = formatting.short_date(starts)
    return day if is_all_day else formatting.day_and_time(day, starts)


@dataclass(frozen=True, slots=True)
class ImportedEvent:
    """A parsed event. ``rule`` and the dates are RFC 5545 text, and empty for a single event.

    ``reason``: why it is cancelled, if given. ``named_status``: its status if it was exported from this site (planned,
    postponed), which the import restores for single events. ``has_guessed_zone``: the file has no zone or an unknown
    one, so the zone was chosen for it. ``over_at``: when it, or the last date of its series, is over; None if the series
    does not end or the start is not known.
    """

    uid: str
    typed: Submission
    when: str
    rule: str = ""
    left_out: str = ""
    added: str = ""
    minutes: int | None = None
    is_cancelled: bool = False
    reason: str = ""
    changes: tuple[OccurrenceOverride, ...] = ()
    warnings: tuple[str, ...] = ()
    has_guessed_zone: bool = False
    named_status: EventStatus | None = None
    over_at: Instant | None = None

    @property
    def repeats(self) -> bool:
        return bool(self.rule or self.added)

    def is_over(self, now: Instant) -> bool:
        return self.over_at is not None and self.over_at <= now


@dataclass(frozen=True, slots=True)
class ParsedImport:
    """The events of a file or page, and warnings about parts that could not be read."""

    name: str
    events: tuple[ImportedEvent, ...]
    warnings: tuple[str, ...] = ()


class Column(StrEnum):
    """Meanings of a column in a list of people."""

    NAME = "name"
    FIRST_NAME = "first_name"
    LAST_NAME = "last_name"
    EMAIL = "email"
    STATUS = "status"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class ContactRow:
    """A person in a list. ``email`` is empty if only the name is known. ``problem``: why the row is skipped."""

    line: int
    name: str
    email: str
    status: str
    note: str
    problem: str = ""


@dataclass(frozen=True, slots=True)
class ContactList:
    """A parsed list of people. ``service``: the service that exported it, if recognized."""

    service: str
    header: tuple[str, ...]
    columns: Mapping[Column, str]
    rows: tuple[ContactRow, ...]
    warnings: tuple[str, ...] = ()

    @property
    def usable(self) -> list[ContactRow]:
        return [row for row in self.rows if not row.problem]

    @property
    def named(self) -> list[ContactRow]:
        """Usable rows without an address: these people are listed but cannot be invited."""
        return [row for row in self.usable if not row.email]


class ContactStage(StrEnum):
    """Stage of a contact. A contact who declined is never invited again."""

    KEPT = "kept"
    INVITED = "invited"
    ACCEPTED = "accepted"
    DECLINED = "declined"


@dataclass(frozen=True, slots=True)
class ImportedContact:
    """A contact on the list of an event or a group."""

    id: PersonId
    what: ImportKind
    target: str
    email: str
    name: str
    status: str
    stage: ContactStage
    message: str
    invited_by: UserId
    invited_at: Instant | None


@dataclass(slots=True)
class ImportResult:
    """The result of an import."""

    made: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    known: int = 0
    left_out: list[str] = field(default_factory=list)


class ImportedDate(msgspec.Struct, frozen=True):
    """The fields of one overridden date of a series at its last import."""

    fields: dict[str, str]
    is_cancelled: bool


class LastImport(msgspec.Struct, frozen=True):
    """The fields of an event at its last import, by their names in the form.

    ``rule``, ``left_out`` and ``added`` are RFC 5545 text. The keys of ``dates`` are original starts.
    """

    fields: dict[str, str]
    rule: str
    left_out: str
    added: str
    is_cancelled: bool
    dates: dict[str, ImportedDate]

    def has_same_schedule(self, imported: ImportedEvent) -> bool:
        """Whether the file still has the same times, rule and extra dates."""
        times = values_of(imported.typed)
        is_same = (self.rule, self.left_out, self.added) == (imported.rule, imported.left_out, imported.added)
        return is_same and all(self.fields[name] == times[name] for name in TIME_FIELDS)

    def of_date(self, change: OccurrenceOverride) -> dict[str, str]:
        """The fields of this date. A date without an override has the fields of the series, except the times."""
        values = self.dates.get(change.original)
        return values.fields if values else {**self.fields, **dict.fromkeys(TIME_FIELDS, "")}

    def has_date(self, change: OccurrenceOverride) -> bool:
        """Whether the last import had exactly this override of the date."""
        return self.dates.get(change.original) == _of_date(change)


def last_import_of(imported: ImportedEvent) -> LastImport:
    """The present content of the file, to be stored as its last import."""
    return LastImport(
        _fields(imported.typed),
        imported.rule,
        imported.left_out,
        imported.added,
        imported.is_cancelled,
        {change.original: _of_date(change) for change in imported.changes if not change.and_following},
    )


def changed_fields(submission: Submission, base: dict[str, str] | None) -> frozenset[str]:
    """The fields that changed in the file since the last import. All fields if the last import is not known."""
    if base is None:
        return frozenset(IMPORTED_FIELDS)
    now = _fields(submission)
    changed = {name for name in IMPORTED_FIELDS if now[name] != base[name]}
    for group in _TOGETHER:
        if changed.intersection(group):
            changed.update(group)
    return frozenset(changed)


def edited_here(base: dict[str, str] | None, current: dict[str, str]) -> frozenset[str]:
    """The fields that were edited on this site since the last import. None if the last import is not known."""
    if base is None:
        return frozenset()
    submission = replace(Submission(**current), **base)
    try:
        values = values_of_event(check(submission))
    except InvalidForm:
        values = base
    return frozenset(name for name in IMPORTED_FIELDS if base[name] and current[name] not in {base[name], values[name]})


def _fields(submission: Submission) -> dict[str, str]:
    values = values_of(submission)
    return {name: values[name] for name in IMPORTED_FIELDS}


def _of_date(change: OccurrenceOverride) -> ImportedDate:
    return ImportedDate(_fields(change.typed), change.is_cancelled)
