"""Seats of an event: their limits in total and by mode, what fits, who on the waitlist gets a free seat, and how long it
is held for them. Pure.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from groundwork.clock import DAY, MINUTE, Instant
from openmeet.domain.attendance.model import Attendance, AttendanceMode
from openmeet.domain.attendance.registration import EventRegistration
from openmeet.domain.events.model import Event
from openmeet.domain.events.values import Mode

# How long a seat is offered: one day; in the last two days, half of the remaining time, but long enough to be noticed.
OFFER_LIFE: Final = DAY
SHORTEST_OFFER: Final = 30 * MINUTE

# How long before the start smaller parties may overtake larger ones on the waitlist.
LAST_CALL: Final = DAY


@dataclass(frozen=True, slots=True)
class SeatLimits:
    """Capacity in total and for each of the two modes; None means no limit."""

    total: int | None = None
    of_mode: Mapping[AttendanceMode, int] = field(default_factory=dict)

    @property
    def is_unlimited(self) -> bool:
        """Whether neither the total number of seats nor that of a mode is limited."""
        return self.total is None and not self.of_mode


NO_LIMITS: Final = SeatLimits()


class HasParty(Protocol):
    """Anyone with a party size and a mode."""

    @property
    def party(self) -> int: ...

    @property
    def mode(self) -> AttendanceMode | None: ...


@dataclass(frozen=True, slots=True)
class SeatsHeld:
    """Seats taken, or held for somebody to whom they are offered, by mode."""

    by_mode: Mapping[AttendanceMode | None, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return sum(self.by_mode.values())

    def of(self, mode: AttendanceMode) -> int:
        """Seats of one mode. RSVPs without a mode count as in person."""
        without_mode = self.by_mode.get(None, 0) if mode is AttendanceMode.IN_PERSON else 0
        return self.by_mode.get(mode, 0) + without_mode

    def plus(self, party: int, mode: AttendanceMode | None) -> "SeatsHeld":
        """The seats with one more party (or one less, if negative)."""
        return SeatsHeld({**self.by_mode, mode: self.by_mode.get(mode, 0) + party})


def _counted_mode(mode: AttendanceMode | None) -> AttendanceMode:
    """The mode under which a party is counted. Parties without a mode, from before the event was hybrid, count as in
    person.
    """
    return mode or AttendanceMode.IN_PERSON


def limits_of(event_registration: EventRegistration) -> SeatLimits:
    """The limits of an event. Limits per mode apply only to hybrid events."""
    if event_registration.event.content.mode is not Mode.HYBRID:
        return SeatLimits(event_registration.event.content.capacity)
    limits = {
        AttendanceMode.IN_PERSON: event_registration.settings.limit_in_person,
        AttendanceMode.ONLINE: event_registration.settings.limit_online,
    }
    return SeatLimits(
        event_registration.event.content.capacity, {mode: limit for mode, limit in limits.items() if limit is not None}
    )


def fits(limits: SeatLimits, held: SeatsHeld, party: int, mode: AttendanceMode | None) -> bool:
    """Whether there are seats for the whole party."""
    if limits.total is not None and held.total + party > limits.total:
        return False
    counted_mode = _counted_mode(mode)
    limit = limits.of_mode.get(counted_mode)
    return limit is None or held.of(counted_mode) + party <= limit


def largest_party(limits: SeatLimits, mode: AttendanceMode | None) -> int | None:
    """The largest party that the event could ever seat; None means any size."""
    both = (limits.total, limits.of_mode.get(_counted_mode(mode)))
    return min((limit for limit in both if limit is not None), default=None)


def is_too_large(limits: SeatLimits, party: HasParty) -> bool:
    """Whether this party would not fit even if it were alone, because a limit was lowered since they answered."""
    most = largest_party(limits, party.mode)
    return most is not None and party.party > most


def are_limits_exceeded(limits: SeatLimits, held: SeatsHeld) -> bool:
    """Whether more seats are held than there are, in total or of a mode, because a limit was lowered."""
    if limits.total is not None and held.total > limits.total:
        return True
    return any(held.of(mode) > limit for mode, limit in limits.of_mode.items())


def is_limit_exceeded_for(limits: SeatLimits, held: SeatsHeld, mode: AttendanceMode | None) -> bool:
    """Whether more seats are held than there are, in total or of this mode."""
    return not fits(limits, held, 0, mode)


def is_last_call(event: Event, now: Instant) -> bool:
    """Whether the start is so near that smaller parties may overtake larger ones, because a free seat would otherwise
    stay empty.
    """
    return event.starts_at is not None and event.starts_at - now <= LAST_CALL


def next_up(
    limits: SeatLimits, held: SeatsHeld, waitlist: Iterable[Attendance], *, allows_overtaking: bool
) -> list[Attendance]:
    """The waitlisted parties that get seats now, in waitlist order. A party that can never fit does not hold up the
    others.

    With ``allows_overtaking``, smaller parties may overtake larger ones that do not fit.
    """
    parties_to_seat: list[Attendance] = []
    full_modes: set[AttendanceMode] = set()
    for one in waitlist:
        mode = _counted_mode(one.mode)
        if mode in full_modes or is_too_large(limits, one):
            continue
        if fits(limits, held, one.party, one.mode):
            held = held.plus(one.party, one.mode)
            parties_to_seat.append(one)
        elif allows_overtaking:
            continue
        elif fits(SeatLimits(limits.total), held, one.party, None):
            # Only this mode is full, so people of the other mode do not have to wait.
            full_modes.add(mode)
        else:
            break
    return parties_to_seat


def overtakes_nobody(
    limits: SeatLimits, held: SeatsHeld, heads: Iterable[HasParty], mode: AttendanceMode | None
) -> bool:
    """Whether a person of this mode can take a seat now without overtaking anybody. ``heads`` has the first party of each
    mode's waitlist; none of them fits now. A party is not overtaken if only the limit of its own mode keeps it waiting.
    """
    total_only = SeatLimits(limits.total)
    return all(
        _counted_mode(one.mode) is not _counted_mode(mode) and fits(total_only, held, one.party, None) for one in heads
    )


@dataclass(frozen=True, slots=True)
class SeatAllocation:
    """Seats while they are given to parties one after the other: the limits, and the seats held so far. ``heads`` has the
    first party of each mode's waitlist; none of them fits. ``allows_overtaking``: parties may overtake them.
    """

    limits: SeatLimits
    held: SeatsHeld = field(default_factory=SeatsHeld)
    heads: tuple[HasParty, ...] = ()
    allows_overtaking: bool = False

    def has_room(self, party: HasParty) -> bool:
        """Whether there are seats for the whole party, without overtaking anyone."""
        if not fits(self.limits, self.held, party.party, party.mode):
            return False
        return self.allows_overtaking or overtakes_nobody(self.limits, self.held, self.heads, party.mode)

    def with_seated(self, party: HasParty) -> "SeatAllocation":
        """The allocation after this party got seats."""
        return replace(self, held=self.held.plus(party.party, party.mode))

    def with_waiting(self, party: HasParty) -> "SeatAllocation":
        """The allocation after this party joined the end of the waitlist."""
        mode = _counted_mode(party.mode)
        has_head = any(not self.limits.of_mode or _counted_mode(one.mode) is mode for one in self.heads)
        return self if has_head or is_too_large(self.limits, party) else replace(self, heads=(*self.heads, party))


def offer_expires_at(event: Event, now: Instant) -> Instant:
    """When an offer made now expires, in whole minutes. Never later than the end of the event."""
    left = OFFER_LIFE if event.starts_at is None else (event.starts_at - now) // 2
    until = now + max(SHORTEST_OFFER, min(OFFER_LIFE, left))
    until = Instant(until + -until % MINUTE)
    return until if event.over_at is None else min(until, event.over_at)


def merge_by_number(waitlists: Sequence[Sequence[Attendance]]) -> list[Attendance]:
    """Merge several waitlists, in order of their numbers."""
    return sorted((one for waitlist in waitlists for one in waitlist), key=lambda one: one.waitlist_number or 0)
