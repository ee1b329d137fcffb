"""Impact of a lowered capacity on existing RSVPs, computed before saving. It is shown to hosts because nobody loses a
place, so they might not notice that too many places are taken. Callers hold the locks of the events; otherwise a place
could be taken unnoticed before the new limit is saved.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from groundwork.database.transaction import Reader
from openmeet.domain.attendance import registration
from openmeet.domain.attendance.model import AttendanceMode
from openmeet.domain.attendance.queries import seats_by_mode_of_each
from openmeet.domain.attendance.registration import EventRegistration, RegistrationSettings
from openmeet.domain.attendance.seats import SeatLimits, SeatsHeld, is_too_large, limits_of
from openmeet.domain.events.model import Details, Event, EventId
from openmeet.i18n.catalogue import gettext, ngettext


@dataclass(frozen=True, slots=True)
class CapacityImpact:
    """What a lower limit causes. ``people_over_limit`` have a place beyond the limit. ``parties_too_large`` are on the
    waitlist and can never fit. ``affected_events`` have either.
    """

    people_over_limit: int = 0
    parties_too_large: int = 0
    affected_events: int = 0


@dataclass(frozen=True, slots=True)
class RegistrationImpact:
    """What new registration settings cause, and what their limit in person alone would cause."""

    total: CapacityImpact
    of_limit_in_person: CapacityImpact


@dataclass(frozen=True, slots=True)
class _WaitingParty:
    party: int
    mode: AttendanceMode | None


async def impact_of_limits(
    reader: Reader, limits_by_event: Mapping[EventId, tuple[SeatLimits, SeatLimits]]
) -> CapacityImpact:
    """The impact of changed limits, given as (old, new) for each event. An event that is no worse off than
    under its old limits is not counted; otherwise everybody beyond the new limits is.
    """
    changed_limits = {event_id: limits for event_id, limits in limits_by_event.items() if limits[0] != limits[1]}
    if not changed_limits:
        return CapacityImpact()
    ids = list(changed_limits)
    held = await seats_by_mode_of_each(reader, ids)
    too_large: dict[EventId, int] = {}
    for row in await reader.fetch(
        "select event_id, mode, party, count(*) as found from attendances where event_id in :ids and status = 'waitlisted'"
        " and offered_until is null group by event_id, mode, party order by event_id, mode, party",
        ids=ids,
    ):
        event_id, party = EventId(row["event_id"]), _WaitingParty(row["party"], _mode(row["mode"]))
        before, after = changed_limits[event_id]
        if is_too_large(after, party) and not is_too_large(before, party):
            too_large[event_id] = too_large.get(event_id, 0) + int(row["found"])
    over_limit: dict[EventId, int] = {}
    for event_id, (before, after) in changed_limits.items():
        people = _people_beyond(after, held[event_id])
        if people > _people_beyond(before, held[event_id]):
            over_limit[event_id] = people
    return CapacityImpact(
        people_over_limit=sum(over_limit.values()),
        parties_too_large=sum(too_large.values()),
        affected_events=len({*over_limit, *too_large}),
    )


async def impact_of_details(reader: Reader, edits: Sequence[tuple[Event, Details]]) -> CapacityImpact:
    """The impact of edits of events, given as (event, its new details)."""
    current = await registration.registrations_of(reader, [event for event, _ in edits])
    return await impact_of_limits(
        reader,
        {
            event.id: (
                limits_of(current[event.id]),
                limits_of(replace(current[event.id], event=replace(event, content=details.content))),
            )
            for event, details in edits
        },
    )


async def impact_of_settings(
    reader: Reader, events: Sequence[Event], new_settings: RegistrationSettings
) -> RegistrationImpact:
    """The impact of giving all these events the same new registration settings."""
    current = (await registration.registrations_of(reader, events)).values()

    async def impact(settings_of: Callable[[EventRegistration], RegistrationSettings]) -> CapacityImpact:
        changed = {
            one.event.id: (limits_of(one), limits_of(replace(one, settings=settings_of(one)))) for one in current
        }
        return await impact_of_limits(reader, changed)

    return RegistrationImpact(
        await impact(lambda _: new_settings),
        await impact(lambda one: replace(one.settings, limit_in_person=new_settings.limit_in_person)),
    )


def impact_text(impact: CapacityImpact) -> str:
    """Describe the impact in sentences; empty if there is none."""
    sentences = []
    if impact.people_over_limit:
        sentences.append(
            ngettext(
                "%(number)s person is over that limit. They keep their place, and nobody moves up until there’s "
                "room again.",
                "%(number)s people are over that limit. They keep their places, and nobody moves up until there’s "
                "room again.",
                impact.people_over_limit,
            )
        )
    if impact.parties_too_large:
        sentences.append(
            ngettext(
                "%(number)s answer on the waitlist is for more people than that and can’t move up.",
                "%(number)s answers on the waitlist are for more people than that and can’t move up.",
                impact.parties_too_large,
            )
        )
    if sentences and impact.affected_events > 1:
        sentences.insert(0, gettext("On %(number)s dates:", number=impact.affected_events))
    return " ".join(sentences)


def _people_beyond(limits: SeatLimits, held: SeatsHeld) -> int:
    """How many people hold a place beyond the limits."""
    beyond_total = 0 if limits.total is None else max(0, held.total - limits.total)
    beyond_modes = sum(max(0, held.of(mode) - limit) for mode, limit in limits.of_mode.items())
    return max(beyond_total, beyond_modes)


def _mode(text: str | None) -> AttendanceMode | None:
    return AttendanceMode(text) if text else None
