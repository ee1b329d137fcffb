"""Values of an RSVP: reply, status, source, history and counts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NewType

import msgspec

from groundwork.clock import Instant
from openmeet.domain.events.model import EventId
from openmeet.domain.users.model import UserId

AttendanceId = NewType("AttendanceId", str)

# A person has at most one RSVP to an event.
RsvpKey = tuple[EventId, UserId]

# Maximum number of people in one RSVP, including its author. A coach party needs several RSVPs.
MAX_PARTY = 20
MAX_COMPANION_NAME_LENGTH = 100
MAX_FORM_RESPONSE_LENGTH = 1_000


class AttendanceStatus(StrEnum):
    """Status of an RSVP, as stored and as the API returns it."""

    ATTENDING = "attending"
    INTERESTED = "interested"
    DECLINED = "declined"
    PENDING = "pending"
    WAITLISTED = "waitlisted"
    INVITED = "invited"
    REJECTED = "rejected"
    ATTENDED = "attended"


class RsvpReply(StrEnum):
    """A person's reply to an event."""

    GOING = "going"
    INTERESTED = "interested"
    DECLINED = "declined"


class RsvpRecordStatus(StrEnum):
    """Status in an RSVP record. UNCLEAR is one that we do not know: the RSVP is kept, but takes no seat, and only
    hosts see it.
    """

    GOING = "going"
    INTERESTED = "interested"
    NOT_GOING = "not_going"
    UNCLEAR = "unclear"


class RsvpSource(StrEnum):
    """The source of a person's latest reply."""

    HERE = "here"
    NETWORK = "network"


class ChangeChannel(StrEnum):
    """The channel through which an RSVP was changed.

    NETWORK is an RSVP record, or the deletion of the AT Protocol account without which the person cannot sign in. CLOCK is
    a scheduled task or a place that became free. HOST is a decision of a host, or a block by a host or moderator; GROUP
    is leaving the event's group or a ban from it.
    """

    PAGE = "page"
    API = "api"
    MAIL = "mail"
    NETWORK = "network"
    HOST = "host"
    CLOCK = "clock"
    GROUP = "group"


class AttendanceMode(StrEnum):
    """The way in which somebody attends a hybrid event."""

    IN_PERSON = "in_person"
    ONLINE = "online"


class PendingFor(StrEnum):
    """Why an RSVP takes no seat yet: it needs approval, no host has confirmed it, or its record has an
    unclear status.

    Unconfirmed are records that no setting of the host lets in: foreign, written after the deadline, or by a person
    who is not a member.
    """

    APPROVAL = "approval"
    UNCONFIRMED = "apart"  # as stored, and as in ``registration.ForeignRsvpPolicy``
    UNCLEAR = "unclear"


# Statuses that hold a seat. An offered seat is also held until the offer expires.
SEATED_STATUSES = (AttendanceStatus.ATTENDING, AttendanceStatus.ATTENDED)

# Statuses of attendees: people who answered and did not decline. ``attendee_list.attendees`` decides who sees which.
ATTENDEE_STATUSES = (
    *SEATED_STATUSES,
    AttendanceStatus.INTERESTED,
    AttendanceStatus.WAITLISTED,
    AttendanceStatus.PENDING,
)


@dataclass(frozen=True, slots=True)
class Attendance:
    """One person's RSVP to one event. ``waitlist_number`` orders the waitlist, smallest first.

    ``party`` is the number of people who come, including this one; ``companion_names`` has the names of the others, if
    given. ``mode`` is None unless the event is hybrid. ``offered_until`` is the instant until which a seat is held for
    a waitlisted person to accept. ``approved_at`` is set once the host approved; no further approval is required.
    ``known_starts_at`` is the event's start at the time of their last answer (``moved_dates.is_moved_since``). With
    ``is_private``, only hosts see the person, and nothing is published. With ``skips_record``, an existing record is
    left unchanged. ``form_responses`` has their responses to the host’s questions by question id. ``question_texts``
    has the questions as they were worded then, because hosts change and remove them.
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
    mode: AttendanceMode | None = None
    offered_until: Instant | None = None
    pending_for: PendingFor | None = None
    approved_at: Instant | None = None
    known_starts_at: Instant | None = None
    is_private: bool = False
    skips_record: bool = False
    companion_names: tuple[str, ...] = ()  # the column and the JSON API call them ``guest_names``
    form_responses: Mapping[str, str] = field(default_factory=dict)
    question_texts: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_seated(self) -> bool:
        return self.status in SEATED_STATUSES

    @property
    def holds_seat(self) -> bool:
        """Whether their seats are taken or held for them. An offer counts until it is ended (``queries.HOLDS_SEAT``)."""
        return self.is_seated or self.offered_until is not None

    def has_offer(self, now: Instant) -> bool:
        """Whether a seat is offered to them."""
        return self.offered_until is not None and now < self.offered_until


@dataclass(frozen=True, slots=True)
class RecordedRsvp:
    """The RSVP record that counts for a person and an event, its status, and when it was first seen, which is
    the time of the answer here.
    """

    event_id: EventId
    user_id: UserId
    record_uri: str
    status: RsvpRecordStatus
    first_seen_at: Instant

    @property
    def key(self) -> RsvpKey:
        return self.event_id, self.user_id


# Stored with the keys ``guest_names`` and ``replies`` (``guest_rsvps.GuestRequest``).
class ReplyDetails(msgspec.Struct, frozen=True, rename={"companion_names": "guest_names", "form_responses": "replies"}):
    """Details given with a reply. None leaves a field as it is."""

    party: int | None = None
    mode: AttendanceMode | None = None
    companion_names: tuple[str, ...] | None = None
    form_responses: Mapping[str, str] | None = None
    is_private: bool | None = None
    skips_record: bool | None = None


NO_REPLY_DETAILS = ReplyDetails()


@dataclass(frozen=True, slots=True)
class ReplyNotifications:
    """Whom to notify of a reply. ``hosts`` is False if they know about it already. ``calendar_email``, to the person who
    replied, is False for one of many replies at once, and for one that another e-mail confirms.
    """

    hosts: bool = True
    calendar_email: bool = True


ALL_NOTIFICATIONS = ReplyNotifications()
NO_NOTIFICATIONS = ReplyNotifications(hosts=False, calendar_email=False)


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One entry of the history: who changed what, when and how. ``revision`` is that of the RSVP after the change; 0 if it
    was not stored yet. ``actor_id`` is None if nobody made the change by hand: it
    came from the network or the scheduler, or followed from a lower limit, from leaving a group or from a moderator's
    block. ``before_pending_for``: why the RSVP took no seat before the change.
    """

    id: str
    attendance_id: AttendanceId
    revision: int
    actor_id: UserId | None
    through: ChangeChannel
    before: AttendanceStatus | None
    before_pending_for: PendingFor | None
    after: AttendanceStatus
    party: int
    mode: AttendanceMode | None
    is_offered: bool
    changed_at: Instant

    @property
    def position(self) -> tuple[int, str]:
        """Its place in the history of its RSVP."""
        return self.revision, self.id


@dataclass(frozen=True, slots=True)
class RsvpCounts:
    """Number of people per status of one event. Parties are counted in full, inactive accounts are left out.

    ``pending_people`` counts people about whom a host can decide (``queries.awaits_decision_sql``), and ``pending_rsvps``
    their RSVPs. ``awaiting_approval`` counts those people whom the host has to approve. ``seats`` counts places held.
    It includes ``offered`` places and the places of hidden people, who get them back with their account. ``waiting``
    counts the people on the waitlist without those who have an offer. ``online`` is the number of those going who attend
    online.
    """

    going: int = 0
    interested: int = 0
    waitlisted: int = 0
    waiting: int = 0
    pending_people: int = 0
    pending_rsvps: int = 0
    awaiting_approval: int = 0
    seats: int = 0
    offered: int = 0
    online: int = 0


NO_COUNTS = RsvpCounts()
