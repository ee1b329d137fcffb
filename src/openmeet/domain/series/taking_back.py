"""The author takes back that a found series is one: what was found stands together again, wherever it went since.

By then it may be several series, because they changed "this and following dates"; each half gives back what it got, and goes. Dates that
came with the yes go too, unless somebody answered them: no answer is ever lost. Events that the author added stand by themselves again. A
half that somebody else hosts by now is theirs. What the author changed at their own events stays changed, as it does for single ones.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from groundwork.database.transaction import Transaction
from groundwork.errors import Refused
from groundwork.outbox.owe import owe
from openmeet.domain.attendance import invitation_queries
from openmeet.domain.events.model import Event, EventId, Origin
from openmeet.domain.events.queries import lock_dates
from openmeet.domain.events.series_dates import leave_series, take_dates_away
from openmeet.domain.series import (
    calendar_uids,
    date_queries,
    detection_queries,
    follower_queries,
    linking,
    queries,
    save,
    splits,
)
from openmeet.domain.series.dates import original_of, original_text
from openmeet.domain.series.detection_queries import Detection, DetectionState
from openmeet.domain.series.model import FOREVER, Policy, Series, SeriesId
from openmeet.outbox.kinds import Debt
from openmeet.recurrence.wall_time import local_of


@dataclass(frozen=True, slots=True)
class Undone:
    """``keeps_answered``: dates stay that came with the yes, because somebody answered them; ``keeps_others``: a half stays
    that somebody else hosts by now.
    """

    detection: Detection
    keeps_answered: bool = False
    keeps_others: bool = False


async def take_back(tx: Transaction, one: Detection) -> Undone:
    """What an accepted one was before: a read-only series of the dates that are there, or single events where it was only suggested.

    Raises Refused (``SomebodyElses``) where its author gave the series itself away.
    """
    series = None if one.series_id is None else await queries.lock(tx, one.series_id)
    if series is None:
        return Undone(await detection_queries.set_state(tx, one, DetectionState.SUGGESTED, None))
    if series.owner_id != one.user_id:
        raise Refused(
            "Somebody else hosts this series by now: ask them to hand it back before you undo it.", name="SomebodyElses"
        )
    behind = [half for half in await splits.continuing(tx, series.id) if half.deleted_at is None]
    theirs = [half for half in behind if half.owner_id != one.user_id]
    mine = await _lock_each(tx, [half.id for half in behind if half.owner_id == one.user_id])
    found = dict(one.found.dates)
    held = [event for part in (series, *mine) for event in await lock_dates(tx, part.id)]
    dates = [event for event in held if not event.is_gone]
    others = [event for event in dates if event.origin is Origin.HERE and event.id not in found]
    were_alone = await calendar_uids.were_alone(tx, [event.id for event in others])
    alone = [event for event in others if event.id in were_alone]
    await calendar_uids.remember(tx, [event.id for event in alone])
    await leave_series(tx, alone, by=one.user_id)
    added = [event for event in others if event.id not in were_alone]
    answered = await detection_queries.answered(tx, [event.id for event in added])
    going = [event for event in added if event.id not in answered]
    await take_dates_away(tx, going)
    await date_queries.forget_places(tx, [event.id for event in going])
    leaving = {event.id for event in (*alone, *going)}
    staying = [event for event in dates if event.id not in leaving]
    named = await _named(tx, one, staying, {series.id, *(half.id for half in mine)})
    names = {original_text(at) for at in named.values()}
    # What was deleted before holds its name in the series still.
    await date_queries.forget_places(
        tx,
        [
            event.id
            for event in held
            if event.is_gone and event.place_in_series and event.place_in_series.original_date in names
        ],
    )
    for half in mine:
        await follower_queries.copy_all(tx, half.id, series.id)
        await invitation_queries.copy(tx, half.id, series.id)
        await save.save(tx, replace(half, deleted_at=tx.now, changed_by=one.user_id))
    await date_queries.place(tx, [(event_id, series.id, original_text(at)) for event_id, at in named.items()])
    await detection_queries.set_overridden(tx, [(event_id, ()) for event_id in named if event_id in found])
    back = await _back(tx, one, series, list(named.values()))
    return Undone(back, keeps_answered=len(going) < len(added), keeps_others=bool(theirs))


async def _back(tx: Transaction, one: Detection, series: Series, dates: Sequence[datetime]) -> Detection:
    """The locked series is the read-only one of these dates again; none at all where there are none, or nobody was sure of it."""
    if dates:
        bare = replace(linking.of_these(series.zone_name, dates), is_all_day=series.timing.pattern.is_all_day)
        series = replace(series, timing=replace(series.timing, pattern=bare), deleted_at=None)
    await queries.save(tx, replace(series, is_read_only=True, policy=Policy.NONE, stored_until=FOREVER))
    if dates and one.is_certain:
        return await detection_queries.set_state(tx, one, DetectionState.LINKED, series.id)
    await linking.unlink(tx, one)
    # What is there of it now is looked for once more: events may have come and gone since the yes.
    await owe(tx, Debt.DETECT_SERIES, one.user_id, int(tx.now))
    return await detection_queries.set_state(tx, one, DetectionState.SUGGESTED, series.id)


async def _lock_each(tx: Transaction, series_ids: Sequence[SeriesId]) -> list[Series]:
    locked = [await queries.lock(tx, series_id) for series_id in series_ids]
    return [series for series in locked if series is not None]


async def _named(
    tx: Transaction, one: Detection, staying: Sequence[Event], parts: Collection[SeriesId]
) -> dict[EventId, datetime]:
    """By which name each date stands in the series: what was found under its own, the others under theirs while that is free.

    What was found and left the series since, for itself, is back; what is another series' date now, or somebody else's event, is not.
    """
    events = await linking.there(tx, one.found)
    named = {
        EventId(event_id): at
        for event_id, at in one.found.dates
        if event_id in events and _is_back(events[event_id], one, parts)
    }
    taken = set(named.values())
    for event in staying:
        if event.id not in named:
            named[event.id] = _free_name(event, taken)
            taken.add(named[event.id])
    return named


def _is_back(event: Event, one: Detection, parts: Collection[SeriesId]) -> bool:
    place = event.place_in_series
    return event.author_id == one.user_id and (place is None or place.series_id in parts)


def _free_name(event: Event, taken: Collection[datetime]) -> datetime:
    """Its name, or the next minute that is no name yet: another rule may have given it that of what was found."""
    assert event.place_in_series is not None  # noqa: S101  # a date of a series
    assert event.starts_at is not None  # noqa: S101  # a rule gave it one
    name = event.place_in_series.original_date
    at = (
        local_of(event.starts_at, event.time_zone).replace(tzinfo=None, second=0, microsecond=0)
        if name == event.id
        else original_of(name)
    )
    while at in taken:
        at += timedelta(minutes=1)
    return at
