"""Imports: the upload, what was parsed from it, and the result."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NewType

from groundwork.clock import DAY, Instant
from openmeet.domain.events.model import EventStatus
from openmeet.domain.events.rules import Submission
from openmeet.domain.events.venue_text import FindPlace
from openmeet.domain.users.model import UserId

ImportId = NewType("ImportId", str)
PersonId = NewType("PersonId", str)

# How long an upload that nobody imports is kept.
KEPT = 7 * DAY
MOST_EVENTS = 500
MOST_PEOPLE = 20_000
MAX_CSV = 5_000_000
MAX_MESSAGE = 1_000
ZONE = "time_zone"


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
    ``find_town`` looks up a name in the list of places; None if there is no list.
    """

    zone: str
    call_hosts: tuple[str, ...] = ()
    find_town: FindPlace = None


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


@dataclass(frozen=True, slots=True)
class ImportedEvent:
    """A parsed event. ``rule`` and the dates are RFC 5545 text, and empty for a single event.

    ``reason``: why it is cancelled, if given. ``named_status``: its status if it was exported from this site (planned,
    postponed), which the import restores for single events. ``has_guessed_zone``: the file has no zone or an unknown
    one, so the zone was chosen for it.
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

    @property
    def repeats(self) -> bool:
        return bool(self.rule or self.added)


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
