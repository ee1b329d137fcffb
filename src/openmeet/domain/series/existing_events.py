"""Turn existing events into dates of a series: the first date of a new series, or another date of an existing one; and
link detected events into a read-only series and unlink them.

Linking does not change the events. It sets only their position in the series: record, revision and slug stay.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from groundwork.database.transaction import Transaction
from groundwork.errors import Forbidden, Refused
from groundwork.outbox.jobs import enqueue_again
from openmeet.domain.attendance import expected_rsvps, invitation_queries, registration
from openmeet.domain.events import event_access, series_dates
from openmeet.domain.events.edits import details_in, own_fields
from openmeet.domain.events.group_of_event import may_make_events
from openmeet.domain.events.model import Event, EventId, EventSlug, RecordOrigin
from openmeet.domain.events.queries import lock_by_slug, lock_dates, lock_for_update, lock_several, several
from openmeet.domain.events.series_dates import delete_each, leave_series, revise_dates
from openmeet.domain.series import (
    actions,
    calendar_uids,
    date_queries,
    detection_queries,
    follower_queries,
    materialize,
    notify,
    queries,
    save_series,
    splits,
    undo,
)
from openmeet.domain.series.dates import details_of, length_in, original_of, original_text
from openmeet.domain.series.detection import DetectedSeries, title_of
from openmeet.domain.series.detection_queries import Detection, DetectionState
from openmeet.domain.series.model import FOREVER, PublishPolicy, Series, SeriesId, Timing
from openmeet.domain.series.reasons import SeriesReason
from openmeet.domain.users.model import Caller, UserId
from openmeet.outbox.kinds import JobKind
from openmeet.recurrence import expansion
from openmeet.recurrence.pattern import Pattern, pattern
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
    await registration.copy_from_event(tx, event, series.id)
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
    await series_dates.enqueue_by_policy(tx, [saved.id])
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
    if event.position_in_series is not None:
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
    (revised,) = await revise_dates(tx, [(placed, own, own_fields(placed, own, usual))], by=series.changed_by)
    return revised


async def lock_existing(tx: Transaction, detected: DetectedSeries) -> dict[str, Event]:
    """Lock the detected events and return them by id, except those that are gone."""
    event_ids = [EventId(event_id) for event_id, _ in detected.dates]
    await lock_several(tx, event_ids)
    return {str(event.id): event for event in await several(tx, event_ids) if not event.is_gone}


async def link(
    tx: Transaction, user_id: UserId, detected: DetectedSeries, series_id: SeriesId | None, events: Mapping[str, Event]
) -> Series:
    """Create or revive the read-only series with exactly these dates. Raises Refused (``NothingLeft``) if none of the
    events exists.
    """
    dates = [(events[event_id], at) for event_id, at in detected.dates if event_id in events]
    if not dates:
        raise Refused(SeriesReason.DETECTED_EVENTS_GONE, name="NothingLeft")
    newest = dates[-1][0]
    timing = Timing(pattern_of_dates(detected.zone_name, [at for _, at in dates]), length_of(newest))
    existing = None if series_id is None else await queries.lock(tx, series_id)
    if existing is None:
        content = replace(newest.content, title=title_of([event.title for event, _ in dates]))
        made = actions.new_series(tx.now, user_id, content, timing, PublishPolicy.NONE, None)
        saved = replace(made, is_read_only=True, stored_until=FOREVER)
        await save_series.insert(tx, saved)
    else:
        series = replace(existing, timing=timing, is_read_only=True, stored_until=FOREVER, deleted_at=None)
        saved = await queries.save(tx, series)
    await date_queries.set_positions(tx, [(event.id, saved.id, original_text(at)) for event, at in dates])
    return saved


async def unlink(tx: Transaction, detection: Detection) -> None:
    """Turn the dates into single events again and delete the series. If it is detected again, it is revived with the
    same slug.
    """
    if detection.series_id is None or detection.state is DetectionState.REFUSED:
        return
    series = await queries.lock(tx, detection.series_id)
    if series is None or series.deleted_at is not None:
        return
    event_ids = [one.event.id for one in await date_queries.stored(tx, series.id)]
    await detection_queries.set_overridden(tx, [(event_id, ()) for event_id in event_ids])
    await date_queries.detach(tx, event_ids)
    await queries.save(tx, replace(series, deleted_at=tx.now))


def pattern_of_dates(zone_name: str, dates: Sequence[datetime]) -> Pattern:
    """A recurrence pattern without a rule, made of exactly these dates. Their order does not matter."""
    first, *others = sorted(dates)
    return Pattern(first, zone_name, None, added=tuple(others))


@dataclass(frozen=True, slots=True)
class UndoneAcceptance:
    """The parts of a series that remain after its acceptance is undone.

    ``keeps_answered``: some dates created on acceptance stay because they have RSVPs. ``keeps_others``: a part that was
    split off stays because somebody else hosts it now.
    """

    detection: Detection
    keeps_answered: bool = False
    keeps_others: bool = False


async def undo_acceptance(tx: Transaction, detection: Detection) -> UndoneAcceptance:
    """Undo an acceptance: the result is a read-only series of the existing dates, or single events if the series was
    only suggested.

    Raises Refused (``SomebodyElses``) if its author has transferred the series.
    """
    series = None if detection.series_id is None else await queries.lock(tx, detection.series_id)
    if series is None:
        return UndoneAcceptance(await detection_queries.set_state(tx, detection, DetectionState.SUGGESTED, None))
    if series.owner_id != detection.user_id:
        raise Refused(SeriesReason.OTHER_HOST_NOW, name="SomebodyElses")
    continuations = [part for part in await splits.all_continuations(tx, series.id) if part.deleted_at is None]
    other_continuations = [part for part in continuations if part.owner_id != detection.user_id]
    own_continuations = await _lock_each(tx, [part.id for part in continuations if part.owner_id == detection.user_id])
    detected_names = dict(detection.found.dates)
    all_dates = [event for part in (series, *own_continuations) for event in await lock_dates(tx, part.id)]
    dates = [event for event in all_dates if not event.is_gone]
    staying, keeps_answered = await _remove_later_dates(tx, detection, dates)
    names_by_event = await _names_after_undo(
        tx, detection, staying, {series.id, *(part.id for part in own_continuations)}
    )
    names = {original_text(at) for at in names_by_event.values()}
    # Dates that were deleted earlier still occupy their names in the series.
    await date_queries.detach(
        tx,
        [
            event.id
            for event in all_dates
            if event.is_gone and event.position_in_series and event.position_in_series.original_date in names
        ],
    )
    for part in own_continuations:
        await follower_queries.copy_all(tx, part.id, series.id)
        await invitation_queries.copy(tx, part.id, series.id)
        await save_series.save(tx, replace(part, deleted_at=tx.now, changed_by=detection.user_id))
    await date_queries.set_positions(
        tx, [(event_id, series.id, original_text(at)) for event_id, at in names_by_event.items()]
    )
    await detection_queries.set_overridden(
        tx, [(event_id, ()) for event_id in names_by_event if event_id in detected_names]
    )
    detection_again = await _make_read_only_again(tx, detection, series, list(names_by_event.values()))
    return UndoneAcceptance(detection_again, keeps_answered=keeps_answered, keeps_others=bool(other_continuations))


async def _remove_later_dates(
    tx: Transaction, detection: Detection, dates: Sequence[Event]
) -> tuple[list[Event], bool]:
    """Remove the dates that were added after the acceptance. Returns the remaining dates, and whether some of the added
    ones stay because they have RSVPs.

    Events that were single before are single again; dates that the series made are deleted.
    """
    detected_names = dict(detection.found.dates)
    others = [event for event in dates if event.origin is RecordOrigin.HERE and event.id not in detected_names]
    were_single = await calendar_uids.were_single(tx, [event.id for event in others])
    single_events = [event for event in others if event.id in were_single]
    await calendar_uids.retire_current(tx, [event.id for event in single_events])
    await leave_series(tx, single_events, by=detection.user_id)
    added = [event for event in others if event.id not in were_single]
    answered = await detection_queries.with_rsvps(tx, [event.id for event in added])
    # A job has still to add their RSVPs.
    answered |= set((await expected_rsvps.incomplete_among(tx, added)).dates)
    to_delete = [event for event in added if event.id not in answered]
    await delete_each(tx, to_delete)
    await date_queries.detach(tx, [event.id for event in to_delete])
    leaving = {event.id for event in (*single_events, *to_delete)}
    return [event for event in dates if event.id not in leaving], len(to_delete) < len(added)


async def _make_read_only_again(
    tx: Transaction, detection: Detection, series: Series, dates: Sequence[datetime]
) -> Detection:
    """Make the locked series read-only again with these dates. Delete it if there are none or if its confidence was
    low.
    """
    if dates:
        bare = replace(pattern_of_dates(series.zone_name, dates), is_all_day=series.timing.pattern.is_all_day)
        series = replace(series, timing=replace(series.timing, pattern=bare), deleted_at=None)
    await queries.save(tx, replace(series, is_read_only=True, policy=PublishPolicy.NONE, stored_until=FOREVER))
    if dates and detection.is_certain:
        return await detection_queries.set_state(tx, detection, DetectionState.LINKED, series.id)
    await unlink(tx, detection)
    # Run detection again, because events may have been added or removed since the acceptance.
    await enqueue_again(tx, JobKind.DETECT_SERIES, [detection.user_id])
    return await detection_queries.set_state(tx, detection, DetectionState.SUGGESTED, series.id)


async def _lock_each(tx: Transaction, series_ids: Sequence[SeriesId]) -> list[Series]:
    locked = [await queries.lock(tx, series_id) for series_id in series_ids]
    return [series for series in locked if series is not None]


async def _names_after_undo(
    tx: Transaction, detection: Detection, staying: Sequence[Event], parts: Collection[SeriesId]
) -> dict[EventId, datetime]:
    """The name of each date in the series. Detected events get their detected name, others keep theirs if it is free.

    Includes detected events that had left the series to be single, but not dates of another series or events of another
    owner.
    """
    events = await lock_existing(tx, detection.found)
    named = {
        EventId(event_id): at
        for event_id, at in detection.found.dates
        if event_id in events and _belongs_to_series(events[event_id], detection, parts)
    }
    taken = set(named.values())
    for event in staying:
        if event.id not in named:
            named[event.id] = _free_name(event, taken)
            taken.add(named[event.id])
    return named


def _belongs_to_series(event: Event, detection: Detection, parts: Collection[SeriesId]) -> bool:
    position = event.position_in_series
    return event.author_id == detection.user_id and (position is None or position.series_id in parts)


def _free_name(event: Event, taken: Collection[datetime]) -> datetime:
    """The date's name, or the next free minute, because another rule may have given it the name of a detected event."""
    assert event.position_in_series is not None  # noqa: S101  # a date of a series
    assert event.starts_at is not None  # noqa: S101  # dates of a series have a start
    name = event.position_in_series.original_date
    at = (
        local_of(event.starts_at, event.time_zone).replace(tzinfo=None, second=0, microsecond=0)
        if name == event.id
        else original_of(name)
    )
    while at in taken:
        at += timedelta(minutes=1)
    return at
