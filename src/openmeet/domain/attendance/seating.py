"""Places: how many there are for whom, who gets a free one, how long one is held for somebody. Pure.

In the line nobody is overtaken, and parties stay together: a seat stays empty for a while rather than that a couple waits for
ever behind people who come alone. Within the last day before the start an empty seat helps nobody, and who fits is let past. A
party that is larger than the limit itself is not let into the line, and passed where the limit was lowered below it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from groundwork.clock import DAY, HOUR, MINUTE, Instant
from openmeet.domain.attendance.model import AnswerMode, Attendance
from openmeet.domain.attendance.registration import Joining
from openmeet.domain.events.model import Event, Mode

# How long an offered seat is held: a day, later half of the time that is left, and never less than somebody needs to see it.
OFFER_LIFE = DAY
SHORTEST_OFFER = 30 * MINUTE

# From when on smaller parties may pass bigger ones.
LAST_CALL = DAY


@dataclass(frozen=True, slots=True)
class Limits:
    """How many people can take part: in all, and in each of the two ways; None is no limit."""

    total: int | None = None
    of_mode: Mapping[AnswerMode, int] = field(default_factory=dict)

    @property
    def is_open(self) -> bool:
        """Whether everybody gets in."""
        return self.total is None and not self.of_mode


NO_LIMITS = Limits()


class Party(Protocol):
    """Somebody, with how many people, in which way."""

    @property
    def party(self) -> int: ...

    @property
    def mode(self) -> AnswerMode | None: ...


@dataclass(frozen=True, slots=True)
class Held:
    """Seats that are taken or offered, by how their people take part."""

    by_mode: Mapping[AnswerMode | None, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return sum(self.by_mode.values())

    def of(self, mode: AnswerMode) -> int:
        """Who did not say how takes part in person."""
        unsaid = self.by_mode.get(None, 0) if mode is AnswerMode.IN_PERSON else 0
        return self.by_mode.get(mode, 0) + unsaid

    def plus(self, party: int, mode: AnswerMode | None) -> "Held":
        """One more party (or, negative, one less)."""
        return Held({**self.by_mode, mode: self.by_mode.get(mode, 0) + party})


def limits_of(event: Event, joining: Joining) -> Limits:
    """The limits of an event; those of the two ways count where it is held in both."""
    if event.mode is not Mode.HYBRID:
        return Limits(event.capacity)
    limits = {AnswerMode.IN_PERSON: joining.limit_in_person, AnswerMode.ONLINE: joining.limit_online}
    return Limits(event.capacity, {mode: limit for mode, limit in limits.items() if limit is not None})


def fits(limits: Limits, held: Held, party: int, mode: AnswerMode | None) -> bool:
    """Whether there are seats for the whole party."""
    if limits.total is not None and held.total + party > limits.total:
        return False
    how = mode or AnswerMode.IN_PERSON
    limit = limits.of_mode.get(how)
    return limit is None or held.of(how) + party <= limit


def most_together(limits: Limits, mode: AnswerMode | None) -> int | None:
    """The largest party that this event would ever have seats for; None is any."""
    both = (limits.total, limits.of_mode.get(mode or AnswerMode.IN_PERSON))
    return min((limit for limit in both if limit is not None), default=None)


def is_too_large(limits: Limits, one: Party) -> bool:
    """Whether there would be no seats for this party if everybody else stayed away: a limit was lowered since they answered."""
    most = most_together(limits, one.mode)
    return most is not None and one.party > most


def places_words(there_are: int, mode: AnswerMode | None) -> str:
    """``There are 3 places``; of a way of taking part its own."""
    places = "is 1 place" if there_are == 1 else f"are {there_are} places"
    return f"There {places}" + {None: "", AnswerMode.IN_PERSON: " in person", AnswerMode.ONLINE: " online"}[mode]


def are_exceeded(limits: Limits, held: Held) -> bool:
    """Whether more is held than there is, because a limit was lowered."""
    if limits.total is not None and held.total > limits.total:
        return True
    return any(held.of(mode) > limit for mode, limit in limits.of_mode.items())


def is_last_call(event: Event, now: Instant) -> bool:
    """Whether the start is so near that an empty seat would stay empty."""
    return event.starts_at is not None and event.starts_at - now <= LAST_CALL


def next_up(limits: Limits, held: Held, line: Iterable[Attendance], *, lets_past: bool) -> list[Attendance]:
    """Who of the line, in its order, gets a seat now. A party for which there are too few seats at all holds up nobody."""
    chosen: list[Attendance] = []
    stuck: set[AnswerMode] = set()
    for one in line:
        how = one.mode or AnswerMode.IN_PERSON
        if how in stuck or is_too_large(limits, one):
            continue
        if fits(limits, held, one.party, one.mode):
            held = held.plus(one.party, one.mode)
            chosen.append(one)
        elif lets_past:
            continue
        elif fits(Limits(limits.total), held, one.party, None):
            # Only this way of taking part is full: who takes part in the other one is not kept waiting by it.
            stuck.add(how)
        else:
            break
    return chosen


def passes_nobody(limits: Limits, held: Held, first: Iterable[Attendance], mode: AnswerMode | None) -> bool:
    """Whether somebody who takes a seat now is nobody's better: ``first`` are next in their lines, and do not fit."""
    how = mode or AnswerMode.IN_PERSON
    others = Limits(limits.total)
    return all((one.mode or AnswerMode.IN_PERSON) is not how and fits(others, held, one.party, None) for one in first)


def offer_until(event: Event, now: Instant) -> Instant:
    """When an offer made now ends; not after the event."""
    left = OFFER_LIFE if event.starts_at is None else (event.starts_at - now) // 2
    until = Instant(now + max(SHORTEST_OFFER, min(OFFER_LIFE, left)))
    return until if event.over_at is None else min(until, event.over_at)


def first_of(lines: Sequence[Sequence[Attendance]]) -> list[Attendance]:
    """Several lines as one, in the order in which people came."""
    return sorted((one for line in lines for one in line), key=lambda one: one.waitlist_number or 0)


def closes_at(event: Event, joining: Joining) -> Instant | None:
    """Until when people may say that they come; None is until it is over."""
    if joining.closes_hours_before is None or event.starts_at is None:
        return None
    return Instant(event.starts_at - joining.closes_hours_before * HOUR)
