"""What somebody said to an event, and where that leaves them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NewType

from groundwork.clock import Instant
from openmeet.domain.events.model import EventId
from openmeet.domain.users.model import UserId

AttendanceId = NewType("AttendanceId", str)

# People in one answer, the one who gives it included: a coach load is several answers.
MOST_IN_PARTY = 20
MAX_GUEST_NAME = 100
MAX_REPLY = 1_000


class AttendanceStatus(StrEnum):
    """How an answer stands, as stored and answered."""

    ATTENDING = "attending"
    INTERESTED = "interested"
    DECLINED = "declined"
    PENDING = "pending"
    WAITLISTED = "waitlisted"
    INVITED = "invited"
    REJECTED = "rejected"
    ATTENDED = "attended"


class RsvpReply(StrEnum):
    """What a person can say."""

    GOING = "going"
    INTERESTED = "interested"
    DECLINED = "declined"


class NetworkAnswer(StrEnum):
    """What an RSVP record says; OTHER is a word we do not know: kept, shown neutrally, counted nowhere."""

    GOING = "going"
    INTERESTED = "interested"
    NOT_GOING = "not_going"
    OTHER = "other"


class RsvpSource(StrEnum):
    """Where the latest answer was given."""

    HERE = "here"
    NETWORK = "network"


class Through(StrEnum):
    """By what an answer was changed, for its history."""

    PAGE = "page"
    API = "api"
    MAIL = "mail"
    NETWORK = "network"
    HOST = "host"
    CLOCK = "clock"
    GROUP = "group"


class AnswerMode(StrEnum):
    """Where somebody takes part in an event that is held in both ways."""

    IN_PERSON = "in_person"
    ONLINE = "online"


class PendingFor(StrEnum):
    """Why an answer takes no place yet: the host approves answers here, it is foreign, or it is a word we do not know."""

    APPROVAL = "approval"
    APART = "apart"
    UNCLEAR = "unclear"


# Who holds a seat. Beside these, an offered seat is held until the offer ends.
SEATED = (AttendanceStatus.ATTENDING, AttendanceStatus.ATTENDED)

# Whose answer everybody sees who sees the event.
SHOWN = (*SEATED, AttendanceStatus.INTERESTED, AttendanceStatus.WAITLISTED, AttendanceStatus.PENDING)


@dataclass(frozen=True, slots=True)
class Attendance:
    """One person's place at one event. ``waitlist_number`` orders those who wait; smaller came first.

    ``party``: how many people come, this one included; ``guest_names`` has the others, where they were named. ``mode`` is
    None where the event is not held in both ways. ``offered_until``: the seat that is held for somebody who waits, until they
    say yes. ``approved_at``: the host wants them there, so that no approval is asked for again. ``is_private``: only hosts
    see who it is, and nothing is published. ``skips_record``: its record, if there is one, stays as it was. ``replies``: to the event's questions, by their ids;
    ``reply_words``: these questions as they were when they were answered, because hosts ask otherwise later, or no more.
    """

    id: AttendanceId
    event_id: EventId
    user_id: UserId
    status: AttendanceStatus
    waitlist_number: int | None
    source: RsvpSource
    revision: int
    record_uri: str | None
    created_at: Instant
    answered_at: Instant
    party: int = 1
    mode: AnswerMode | None = None
    offered_until: Instant | None = None
    pending_for: PendingFor | None = None
    approved_at: Instant | None = None
    is_private: bool = False
    skips_record: bool = False
    guest_names: tuple[str, ...] = ()
    replies: Mapping[str, str] = field(default_factory=dict)
    reply_words: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_seated(self) -> bool:
        return self.status in SEATED

    def has_offer(self, now: Instant) -> bool:
        """Whether a seat is held for them that they may take."""
        return self.offered_until is not None and now < self.offered_until


@dataclass(frozen=True, slots=True)
class RsvpRequest:
    """What somebody says beside yes or no; None leaves it as it is."""

    party: int | None = None
    mode: AnswerMode | None = None
    guest_names: tuple[str, ...] | None = None
    replies: Mapping[str, str] | None = None
    is_private: bool | None = None
    skips_record: bool = False


NO_WISHES = RsvpRequest()


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One line of the history: who made what of an answer, when and by what. ``actor_id`` is None for clock and network."""

    id: str
    attendance_id: AttendanceId
    actor_id: UserId | None
    through: Through
    before: AttendanceStatus | None
    after: AttendanceStatus
    party: int
    mode: AnswerMode | None
    is_offered: bool
    changed_at: Instant


@dataclass(frozen=True, slots=True)
class RsvpCounts:
    """How many people said what to one event, parties counted in full, without those whose account is not active at the moment.

    ``unconfirmed``: answers that take no place yet. ``seats``: places held, also by people who are hidden: they are theirs
    again when the account is; ``offered`` ones are among them. ``online``: of those going, how many take part online.
    """

    going: int = 0
    interested: int = 0
    waitlisted: int = 0
    unconfirmed: int = 0
    seats: int = 0
    offered: int = 0
    online: int = 0

    @property
    def waiting(self) -> int:
        """Those in the line; for whom a place is held is not in it any more."""
        return max(0, self.waitlisted - self.offered)


NOBODY = RsvpCounts()
