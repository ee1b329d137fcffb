"""Turn existing events into dates of a series: the first date of a new series, or another date of an existing one."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from groundwork.database.transaction import Transaction
from groundwork.errors import Forbidden, Refused
from openmeet.domain.attendance import registration
from openmeet.domain.events import event_access, series_dates
from openmeet.domain.events.edits import details_in, differing
from openmeet.domain.events.group_of_event import may_make_events
from openmeet.domain.events.model import Event, EventSlug
from openmeet.domain.events.queries import lock_by_slug, lock_for_update
from openmeet.domain.events.series_dates import revise_dates
from openmeet.domain.series import actions, date_queries, materialize, notify, save_series, undo
from openmeet.domain.series.dates import details_of, length_in, original_of, original_text
from openmeet.domain.series.model import PublishPolicy, Series, Timing
from openmeet.domain.series.reasons import SeriesReason
from openmeet.domain.users.model import Caller
from openmeet.recurrence import expansion
from openmeet.recurrence.pattern import pattern
from openmeet.recurrence.wall_time import local_of


async def start_series_with(
    tx: Transaction,
    caller: Caller,
    slug: EventSlug,
    repeating: Callable[[Event], Timing],
    *,
    policy: PublishPolicy = PublishPolicy.NEXT,
) -> Series:
    """Create a series with this event as its first date. The event keeps its slug and RSVPs. ``repeating`` gives the
    timing.

    Raises NotFound, Forbidden, Refused (a copy, already a date of a series, no start) and RuleRefused.
    """
    event = await _lock_free(tx, caller, slug)
    if not await may_make_events(tx, event.group, caller.user_id):
        raise Forbidden(SeriesReason.MAY_NOT_CREATE_EVENT)
    timing = repeating(event)
    expansion.check_entered(timing.pattern)
    series = await actions.insert(tx, event.author_id, event.content, timing, policy, event.group)
    await registration.copy_of_event(tx, event, series.id)
    await _place(tx, event, series, original_text(timing.pattern.start))
    await materialize.store_window(tx, series)
    return await actions.reread(tx, series.id)


async def add(tx: Transaction, caller: Caller, series: Series, slug: EventSlug) -> Series:
    """Add this event to the caller's locked series as a date. Fields in which it differs become overrides.

    Raises NotFound, Forbidden and Refused (``DateTaken`` if the series has a date at that time).
    """
    event = await _lock_free(tx, caller, slug)
    if event.group != series.group:
        # The other dates would have a different audience than this one.
        raise Refused(SeriesReason.OTHER_GROUP, name="OtherGroup")
    assert event.starts_at is not None  # noqa: S101  # checked above
    original = local_of(event.starts_at, series.zone_name).replace(tzinfo=None, microsecond=0)
    name = original_text(original)
    old_pattern = series.timing.pattern
    if expansion.is_date_of(old_pattern, original) or await date_queries.date_of(tx, series.id, name) is not None:
        raise Refused(SeriesReason.DATE_TAKEN, name="DateTaken")
    left_out = tuple(at for at in old_pattern.left_out if at != original)
    new_pattern = pattern(
        old_pattern.start,
        old_pattern.zone_name,
        old_pattern.rule,
        left_out=left_out,
        added=(*old_pattern.added, original),
        is_all_day=old_pattern.is_all_day,
    )
    before = await undo.take_snapshot(tx, series, also=[event.id])
    saved = await save_series.save(tx, replace(series, timing=replace(series.timing, pattern=new_pattern)))
    placed = await _place(tx, event, saved, name)
    await series_dates.enqueue_by_policy(tx, saved.id)
    fan_out_id = await notify.notify_people(tx, saved, notify.of_new_dates(saved, [placed]))
    await undo.store_snapshot(tx, before, undo.UndoableAction.ADD_EVENT, fan_out_id=fan_out_id)
    return await actions.reread(tx, series.id)


def length_of(event: Event) -> timedelta | None:
    """Duration of an event, in the form that a series repeats."""
    if event.starts_at is None or event.ends_at is None:
        return None
    return length_in(details_in(event))


async def _lock_free(tx: Transaction, caller: Caller, slug: EventSlug) -> Event:
    event = await event_access.require_visible(tx, await lock_by_slug(tx, slug), caller.user_id)
    if event.author_id != caller.user_id:
        raise Forbidden(SeriesReason.EVENT_OF_OTHER_HOST)
    await event_access.require_editable(tx, event, caller.user_id)
    if event.is_draft:
        raise Refused(SeriesReason.EVENT_IS_DRAFT, name="Draft")
    if event.place_in_series is not None:
        raise Refused(SeriesReason.EVENT_IN_SERIES, name="InSeries")
    if event.starts_at is None:
        raise Refused(SeriesReason.EVENT_WITHOUT_DATE, name="NoStart")
    return event


async def _place(tx: Transaction, event: Event, series: Series, name: str) -> Event:
    usual = details_of(series.content, series.timing, original_of(name))
    await date_queries.set_positions(tx, [(event.id, series.id, name)])
    placed = await lock_for_update(tx, event.id)
    assert placed is not None  # noqa: S101  # locked already
    own = details_in(placed)
    (revised,) = await revise_dates(tx, [(placed, own, differing(own, usual))], by=series.changed_by)
    return revised
