"""What somebody said to an event, and where that leaves them."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

from groundwork.clock import Instant
from openmeet.events.model import EventId
from openmeet.users.model import UserId

AttendanceId = NewType("AttendanceId", str)


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


class Reply(StrEnum):
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


class Source(StrEnum):
    """Where the latest answer was given."""

    HERE = "here"
    NETWORK = "network"


# Who holds a seat. Everything that counts seats counts these.
SEATED = (AttendanceStatus.ATTENDING, AttendanceStatus.ATTENDED)

# Whose answer everybody sees who sees the event.
SHOWN = (*SEATED, AttendanceStatus.INTERESTED, AttendanceStatus.WAITLISTED, AttendanceStatus.PENDING)


@dataclass(frozen=True, slots=True)
class Attendance:
    """One person's place at one event. ``waitlist_number`` orders those who wait; smaller came first."""

    id: AttendanceId
    event_id: EventId
    user_id: UserId
    status: AttendanceStatus
    waitlist_number: int | None
    source: Source
    revision: int
    record_uri: str | None
    created_at: Instant
    answered_at: Instant


@dataclass(frozen=True, slots=True)
class Counts:
    """How many people said what to one event, without those whose account is not active at the moment.

    ``unconfirmed``: network answers that take no place yet. ``seats``: places held, also by people who are hidden: they
    are theirs again when the account is.
    """

    going: int = 0
    interested: int = 0
    waitlisted: int = 0
    unconfirmed: int = 0
    seats: int = 0


NOBODY = Counts()
