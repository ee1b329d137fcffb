"""The plan of a legacy import. It is deterministic and complete before anything is written."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from openmeet.domain.attendance.model import SEATED_STATUSES, AttendanceStatus
from openmeet.domain.events.content import Content
from openmeet.domain.events.model import Details
from openmeet.domain.legacy_import.model import (
    LegacyData,
    LegacyOddity,
    LegacyShape,
    Oddity,
    OldEvent,
    OldGroup,
    OldMember,
    OldRsvp,
    OldUser,
)
from openmeet.domain.series.model import Timing


@dataclass(frozen=True, slots=True)
class LegacyRsvp:
    """An RSVP to import."""

    old: OldRsvp
    status: AttendanceStatus


@dataclass(frozen=True, slots=True)
class PlannedEvent:
    """A single event, or a date of a series.

    For a date, ``name`` is its original start and ``overridden`` lists the fields that differ from the series.
    """

    old: OldEvent
    details: Details
    is_cancelled: bool
    answers: tuple[LegacyRsvp, ...]
    name: str = ""
    overridden: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LegacySeriesPart:
    """A series to create: the head of a recurring event, or the part after a split point.

    ``after``: the legacy id of the part that it was split off from. ``followers``: legacy user ids.
    """

    old: OldEvent
    content: Content
    timing: Timing
    is_cancelled: bool
    after: int | None
    dates: tuple[PlannedEvent, ...]
    followers: tuple[int, ...]


@dataclass(slots=True)
class LegacyPlan:
    """Everything that the import creates, in order."""

    shape: LegacyShape
    users: list[OldUser] = field(default_factory=list)
    groups: list[OldGroup] = field(default_factory=list)
    members: list[OldMember] = field(default_factory=list)
    parts: list[LegacySeriesPart] = field(default_factory=list)
    singles: list[PlannedEvent] = field(default_factory=list)
    oddities: list[LegacyOddity] = field(default_factory=list)

    @property
    def dates(self) -> list[PlannedEvent]:
        return [one for part in self.parts for one in part.dates]

    def counts(self) -> Mapping[str, int]:
        """The counts to expect after the import, by their names in reports."""
        events = [*self.dates, *self.singles]
        # The chat room of a recurring event belongs to the series, not to its first date.
        heads = {part.old.id for part in self.parts}
        answers = Counter(answer.status for one in events for answer in one.answers)
        return {
            "people": len(self.users),
            "groups": len(self.groups),
            "members": len(self.members),
            "series": len(self.parts),
            "splitSeries": sum(part.after is not None for part in self.parts),
            "dates": len(self.dates),
            "modifiedDates": sum(bool(one.overridden) for one in self.dates),
            "cancelledEvents": sum(one.is_cancelled for one in events),
            "singleEvents": len(self.singles),
            "followers": sum(len(part.followers) for part in self.parts),
            "answers": sum(answers.values()),
            **{f"answers:{status.value}": answers[status] for status in AttendanceStatus if answers[status]},
            "rooms": sum(one.old.matrix_room_id is not None and one.old.id not in heads for one in events)
            + sum(part.old.matrix_room_id is not None for part in self.parts),
        }


STATUSES = {
    "confirmed": AttendanceStatus.ATTENDING,
    "attending": AttendanceStatus.ATTENDING,
    "maybe": AttendanceStatus.INTERESTED,
    "interested": AttendanceStatus.INTERESTED,
    "cancelled": AttendanceStatus.DECLINED,
    "declined": AttendanceStatus.DECLINED,
    "pending": AttendanceStatus.PENDING,
    "waitlist": AttendanceStatus.WAITLISTED,
    "waitlisted": AttendanceStatus.WAITLISTED,
    "invited": AttendanceStatus.INVITED,
    "rejected": AttendanceStatus.REJECTED,
    "attended": AttendanceStatus.ATTENDED,
}
# People who attend the parent, or asked to, follow the series. People who declined or were rejected do not.
FOLLOWING = frozenset(
    {
        AttendanceStatus.ATTENDING,
        AttendanceStatus.INTERESTED,
        AttendanceStatus.PENDING,
        AttendanceStatus.WAITLISTED,
        AttendanceStatus.ATTENDED,
    }
)


def rsvps_of(
    event: OldEvent, old: LegacyData, oddities: list[LegacyOddity], more: Iterable[OldRsvp] = ()
) -> tuple[LegacyRsvp, ...]:
    """One RSVP per user, ordered by id.

    ``more``: RSVPs of another row for the same date. An RSVP to the row itself takes precedence.
    """
    rsvp_by_user: dict[int, LegacyRsvp] = {}
    for answer in more:
        _choose(rsvp_by_user, event, answer, old, oddities)
    own: dict[int, LegacyRsvp] = {}
    for answer in old.answers.get(event.id, ()):
        _choose(own, event, answer, old, oddities)
    rsvp_by_user |= own
    rsvps = tuple(sorted(rsvp_by_user.values(), key=lambda answer: answer.old.id))
    seated = sum(answer.status in SEATED_STATUSES for answer in rsvps)
    if event.capacity and 0 < event.capacity < seated:
        oddities.append(LegacyOddity(Oddity.OVER_CAPACITY, f"event {event.id}", f"{seated} of {event.capacity}"))
    return rsvps


def followers_of(answers: Iterable[LegacyRsvp]) -> tuple[int, ...]:
    """Legacy user ids of the followers."""
    return tuple(answer.old.user_id for answer in answers if answer.status in FOLLOWING)


def _choose(
    rsvp_by_user: dict[int, LegacyRsvp],
    event: OldEvent,
    answer: OldRsvp,
    old: LegacyData,
    oddities: list[LegacyOddity],
) -> None:
    subject = f"event {event.id}"
    status = STATUSES.get(answer.status or "")
    if answer.user_id not in old.users:
        oddities.append(LegacyOddity(Oddity.NO_PERSON, subject, f"answer {answer.id}"))
        return
    if status is None:
        oddities.append(
            LegacyOddity(Oddity.UNKNOWN_STATUS, subject, f"answer {answer.id}: {(answer.status or 'nothing')[:30]}")
        )
        return
    if answer.user_id in rsvp_by_user:
        oddities.append(LegacyOddity(Oddity.ANSWERED_TWICE, subject, f"user {answer.user_id}"))
    # Ordered by id, so the newer one overwrites the older one.
    rsvp_by_user[answer.user_id] = LegacyRsvp(answer, status)
