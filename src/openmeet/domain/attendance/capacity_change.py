"""Impact of a lowered capacity on existing RSVPs, computed before saving. Nobody loses a place, so hosts might miss it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from groundwork.database.transaction import Reader
from openmeet.domain.attendance import registration
from openmeet.domain.attendance.model import AnswerMode
from openmeet.domain.attendance.queries import HOLDS
from openmeet.domain.attendance.registration import RegistrationSettings
from openmeet.domain.attendance.rules import SeatLimits, SeatsTaken, is_too_large, limits_of
from openmeet.domain.events.model import Details, Event, EventId


@dataclass(frozen=True, slots=True)
class Lowered:
    """``over``: people with a place beyond the limit; ``stuck``: waitlisted parties that can never fit; ``dates``:
    number of affected events.
    """

    over: int = 0
    stuck: int = 0
    dates: int = 0


@dataclass(frozen=True, slots=True)
class _WaitingParty:
    party: int
    mode: AnswerMode | None


async def by_limits(reader: Reader, wanted: Mapping[EventId, tuple[SeatLimits, SeatLimits]]) -> Lowered:
    """Impact for events given old and new limits. What was already so before does not count."""
    lower = {event_id: limits for event_id, limits in wanted.items() if limits[0] != limits[1]}
    if not lower:
        return Lowered()
    ids = list(lower)
    held: dict[EventId, dict[AnswerMode | None, int]] = {}
    for row in await reader.fetch(
        f"select event_id, mode, cast(sum(party) as bigint) as taken from attendances where event_id in :ids and {HOLDS}"
        " group by event_id, mode order by event_id, mode",
        ids=ids,
    ):
        held.setdefault(EventId(row["event_id"]), {})[_mode(row["mode"])] = int(row["taken"])
    stuck: dict[EventId, int] = {}
    for row in await reader.fetch(
        "select event_id, mode, party, count(*) as found from attendances where event_id in :ids and status = 'waitlisted'"
        " and offered_until is null group by event_id, mode, party order by event_id, mode, party",
        ids=ids,
    ):
        event_id, one = EventId(row["event_id"]), _WaitingParty(row["party"], _mode(row["mode"]))
        before, after = lower[event_id]
        if is_too_large(after, one) and not is_too_large(before, one):
            stuck[event_id] = stuck.get(event_id, 0) + int(row["found"])
    over = {}
    for event_id, (before, after) in lower.items():
        taken = SeatsTaken(held.get(event_id, {}))
        more = _beyond(after, taken)
        if more > _beyond(before, taken):
            over[event_id] = more
    return Lowered(sum(over.values()), sum(stuck.values()), len({*over, *stuck}))


async def by_details(reader: Reader, wanted: Sequence[tuple[Event, Details]]) -> Lowered:
    """Impact of new event details."""
    joining = await registration.of_events(reader, [event for event, _ in wanted])
    return await by_limits(
        reader,
        {
            event.id: (
                limits_of(event, joining[event.id]),
                limits_of(replace(event, capacity=details.capacity, mode=details.mode), joining[event.id]),
            )
            for event, details in wanted
        },
    )


async def by_joining(reader: Reader, events: Sequence[Event], joining: RegistrationSettings) -> Lowered:
    """Impact of new registration settings."""
    known = await registration.of_events(reader, events)
    return await by_limits(reader, {one.id: (limits_of(one, known[one.id]), limits_of(one, joining)) for one in events})


def words(lowered: Lowered) -> str:
    """The impact in sentences; empty where there is none."""
    said = []
    if lowered.over:
        people = "1 person has a place" if lowered.over == 1 else f"{lowered.over} people have a place"
        said.append(f"{people} beyond that limit. They keep it, and nobody moves up until there is room again.")
    if lowered.stuck:
        parties = "1 party that waits is" if lowered.stuck == 1 else f"{lowered.stuck} parties that wait are"
        said.append(f"{parties} larger than that: there can be no places for them any more.")
    if said and lowered.dates > 1:
        said.insert(0, f"On {lowered.dates} dates:")
    return " ".join(said)


def _beyond(limits: SeatLimits, held: SeatsTaken) -> int:
    """How many people hold a place beyond the limit."""
    of_modes = [held.of(mode) - limit for mode, limit in limits.of_mode.items()]
    in_all = 0 if limits.total is None else held.total - limits.total
    return max(in_all, sum(max(0, more) for more in of_modes), 0)


def _mode(text: str | None) -> AnswerMode | None:
    return AnswerMode(text) if text else None
