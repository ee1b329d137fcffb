"""What arrived, what was understood of it, and what becomes of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NewType

from groundwork.clock import DAY, Instant
from openmeet.domain.events.model import EventStatus
from openmeet.domain.events.rules import Submission
from openmeet.domain.users.model import UserId

ImportId = NewType("ImportId", str)
PersonId = NewType("PersonId", str)

# What is looked at and not imported is forgotten.
KEPT = 7 * DAY
MOST_EVENTS = 500
MOST_PEOPLE = 20_000
MAX_CSV = 5_000_000
MAX_MESSAGE = 1_000
ZONE = "time_zone"


class What(StrEnum):
    """What an import brings."""

    EVENTS = "events"
    GUESTS = "guests"
    MEMBERS = "members"


class Medium(StrEnum):
    """How it came."""

    ICS = "ics"
    PAGE = "page"
    CSV = "csv"


@dataclass(frozen=True, slots=True)
class FileReading:
    """How files of one person are read: the zone of times without one, and the operator's own hosts of calls."""

    zone: str
    call_hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Import:
    """Something that arrived. ``target`` is the id of the event or group whose people these are; ``columns`` as chosen.

    Of events the one that is chosen is ``ZONE``: the time zone of those that name none that is known.
    """

    id: ImportId
    user_id: UserId
    what: What
    medium: Medium
    target: str
    source: str
    content: bytes
    columns: Mapping[str, str]
    outcome: Mapping[str, Any] | None
    created_at: Instant


class ImportMatch(StrEnum):
    """Whether an event that arrived is new. ``OWN``: it was exported here and is the person's own."""

    NEW = "new"
    KNOWN = "known"
    OWN = "own"


@dataclass(frozen=True, slots=True)
class OccurrenceOverride:
    """One date of a series that differs, or is called off. ``original`` is its name; ``and_following``: from there on.

    ``standing``: how it stood, where it was one of ours: planned, put off; it stands so again.
    """

    original: str
    typed: Submission
    is_cancelled: bool
    and_following: bool
    reason: str = ""
    standing: EventStatus | None = None


@dataclass(frozen=True, slots=True)
class ImportedEvent:
    """One event as it was understood. ``rule`` and the dates are RFC 5545 text; empty for a single event.

    ``reason``: why it is called off, where that is said.
    ``standing``: how it stood, where it was one of ours: planned, put off; a single event stands so again.
    ``has_guessed_zone``: no zone was said, or one that nobody knows; the one that it has was chosen for it.
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
    standing: EventStatus | None = None

    @property
    def repeats(self) -> bool:
        return bool(self.rule or self.added)


@dataclass(frozen=True, slots=True)
class ParsedImport:
    """Everything of a file or page, and what was not understood."""

    name: str
    events: tuple[ImportedEvent, ...]
    warnings: tuple[str, ...] = ()


class Column(StrEnum):
    """What a column of a list of people may mean."""

    NAME = "name"
    FIRST_NAME = "first_name"
    LAST_NAME = "last_name"
    EMAIL = "email"
    STATUS = "status"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class ContactRow:
    """One person of a list; ``email`` is empty of who is known by name alone. ``problem`` says why they are left out."""

    line: int
    name: str
    email: str
    status: str
    note: str
    problem: str = ""


@dataclass(frozen=True, slots=True)
class ContactList:
    """A list of people as it was understood. ``service`` is who exported it, where that can be told."""

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
        """Those of ``usable`` without an address: they stand on the list, and nobody can write to them."""
        return [row for row in self.usable if not row.email]


class ContactStage(StrEnum):
    """How far somebody of a list is. Who said no is never asked again."""

    KEPT = "kept"
    INVITED = "invited"
    ACCEPTED = "accepted"
    DECLINED = "declined"


@dataclass(frozen=True, slots=True)
class ImportedContact:
    """One line of the list of an event or a group."""

    id: PersonId
    what: What
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
    """What bringing in did."""

    made: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    known: int = 0
    left_out: list[str] = field(default_factory=list)
