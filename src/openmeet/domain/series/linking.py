"""Events that were found stand together as one read-only series, and by themselves again; neither leaves a trace in them.

Linking an event sets its place and nothing else: its record, its revision and its address stay.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from groundwork.database.transaction import Transaction
from groundwork.errors import Refused
from openmeet.domain.events.edits import details_in
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.events.queries import lock_for_update
from openmeet.domain.series import actions, date_queries, detection_queries, queries, save
from openmeet.domain.series.dates import original_text, template_in
from openmeet.domain.series.detection import Found, title_of
from openmeet.domain.series.detection_queries import Detection, DetectionState
from openmeet.domain.series.gather import length_of
from openmeet.domain.series.model import FOREVER, Policy, Series, SeriesId, Timing
from openmeet.domain.users.model import UserId
from openmeet.recurrence.pattern import Pattern


async def there(tx: Transaction, found: Found) -> dict[str, Event]:
    """The events that were found, locked, by their ids; without those that are gone."""
    locked = [await lock_for_update(tx, EventId(event_id)) for event_id in sorted(dict(found.dates))]
    return {str(event.id): event for event in locked if event is not None and not event.is_gone}


async def link(
    tx: Transaction, user_id: UserId, found: Found, series_id: SeriesId | None, events: Mapping[str, Event]
) -> Series:
    """The read-only series with exactly these dates, made or revived. Raises Refused (``NothingLeft``) where none of them is there."""
    dates = [(events[event_id], at) for event_id, at in found.dates if event_id in events]
    if not dates:
        raise Refused("None of these events is there any more.", name="NothingLeft")
    newest = dates[-1][0]
    timing = Timing(of_these(found.zone_name, [at for _, at in dates]), length_of(newest))
    known = None if series_id is None else await queries.lock(tx, series_id)
    if known is None:
        template = replace(template_in(details_in(newest)), title=title_of([event.title for event, _ in dates]))
        made = actions.new_series(tx.now, user_id, template, timing, Policy.NONE, None)
        saved = replace(made, is_read_only=True, stored_until=FOREVER)
        await save.insert(tx, saved)
    else:
        series = replace(known, timing=timing, is_read_only=True, stored_until=FOREVER, deleted_at=None)
        saved = await queries.save(tx, series)
    await date_queries.place(tx, [(event.id, saved.id, original_text(at)) for event, at in dates])
    return saved


async def unlink(tx: Transaction, one: Detection) -> None:
    """Single events again; the series is gone, and comes back under its address if it is found again."""
    if one.series_id is None or one.state is DetectionState.REFUSED:
        return
    series = await queries.lock(tx, one.series_id)
    if series is None or series.deleted_at is not None:
        return
    held = [held.event.id for held in await date_queries.stored(tx, series.id)]
    await detection_queries.set_overridden(tx, [(event_id, ()) for event_id in held])
    await date_queries.forget_places(tx, held)
    await queries.save(tx, replace(series, deleted_at=tx.now))


def of_these(zone_name: str, dates: Sequence[datetime]) -> Pattern:
    """No rule, nothing but these dates, in any order."""
    first, *others = sorted(dates)
    return Pattern(first, zone_name, None, added=tuple(others))
