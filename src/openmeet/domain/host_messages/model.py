"""A message of a host, and whom it is for."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NewType

from groundwork.clock import DAY, Instant
from openmeet.domain.attendance.model import AttendanceStatus
from openmeet.domain.events.model import EventId
from openmeet.domain.users.model import UserId

MessageId = NewType("MessageId", str)

MAX_TEXT: Final = 5_000
# Enough for a change of rooms and a change back; more in a day is noise that people answer by leaving.
MAX_A_DAY: Final = 5
# A message further ahead is about an event that nobody has planned yet.
LONGEST_AHEAD: Final = 366 * DAY


class Addressees(StrEnum):
    """Whom a message can be for; several may be chosen."""

    GOING = "going"
    INTERESTED = "interested"
    WAITING = "waiting"
    ATTENDED = "attended"


STATUSES: Final = {
    # Who was checked in early, while others are on their way, is told of the other door as well.
    Addressees.GOING: (AttendanceStatus.ATTENDING, AttendanceStatus.ATTENDED),
    Addressees.INTERESTED: (AttendanceStatus.INTERESTED,),
    Addressees.WAITING: (AttendanceStatus.WAITLISTED, AttendanceStatus.PENDING),
    # Whoever was checked in.
    Addressees.ATTENDED: (AttendanceStatus.ATTENDED,),
}


class MessageState(StrEnum):
    """``CALLED_OFF``: by a host; or when its time came the event did not take place or was hidden, or its writer did not host it any more."""

    SCHEDULED = "scheduled"
    SENT = "sent"
    CALLED_OFF = "called_off"


@dataclass(frozen=True, slots=True)
class Message:
    """``number`` counts the messages of an event. ``recipients``: how many it went to; 0 before."""

    id: MessageId
    event_id: EventId
    number: int
    author_id: UserId
    addressees: tuple[Addressees, ...]
    text: str
    state: MessageState
    send_at: Instant
    sent_at: Instant | None
    recipients: int
    created_at: Instant


@dataclass(frozen=True, slots=True)
class Recipients:
    """Who answered so and would hear of a message, and how many others would not.

    Those were only named by a host, are known by a record only, or want to hear of no messages.
    """

    reached: tuple[UserId, ...]
    unreached: int
