"""Cancel, reinstate, remove and add single dates of a series. Callers hold the lock on the series.

``notifies`` is False if the host chose not to notify followers. Everyone who answered a date that is cancelled,
reinstated or removed is notified anyway, because otherwise they come in vain or miss it.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace

from groundwork.database.transaction import Transaction
from groundwork.errors import Refused
from openmeet.domain.attendance.event_changes import fill_freed_seats, make_rsvp_records_due
from openmeet.domain.events import series_dates
from openmeet.domain.events.model import Event
from openmeet.domain.events.queries import lock_dates
from openmeet.domain.events.series_dates import cancel_each, delete_each, reinstate_each
from openmeet.domain.notifications import event_kinds
from openmeet.domain.notifications.event_kinds import DatesChanged
from openmeet.domain.notifications.model import NotificationKind
from openmeet.domain.series import date_queries, materialize, notify, save_series, undo
from openmeet.domain.series.dates import original_of
from openmeet.domain.series.model import OPENED_AHEAD, OPENED_AHEAD_YEARS, Series, SeriesStatus
from openmeet.domain.series.notify import SeriesNews
from openmeet.domain.series.reasons import SeriesReason
from openmeet.domain.series.undo import UndoableAction
from openmeet.domain.validation import TOO_FAR_AHEAD
from openmeet.recurrence import expansion
from openmeet.recurrence.pattern import pattern
from openmeet.recurrence.wall_time import instant_of

Change = Callable[[list[Event]], Awaitable[list[Event]]]


async def cancel_dates(
    tx: Transaction, series: Series, names: Sequence[str], reason: str, *, notifies: bool = True
) -> int:
    """Cancel dates of the locked series; they stay visible. Computed dates are stored first. Returns the number of
    changed dates.

    If several dates are given, those already cancelled keep their reasons. A single date gets the new reason.
    """
    # Store them before the snapshot, so that an undo reinstates computed dates.
    await materialize.ensure_all_stored(tx, series, names)
    before = await undo.take_snapshot(tx, series)
    dates = await _stored(tx, series, names)
    if len(names) > 1:
        dates = [one for one in dates if not one.is_cancelled]
    changed, news = await _cancel(tx, series, dates, reason, notifies=notifies)
    if not changed:
        return 0
    await _notify_and_store_snapshot(tx, series, before, UndoableAction.CANCEL_DATES, news, notifies=notifies)
    await fill_freed_seats(tx, changed)
    return len(changed)


async def cancel_for_reasons(
    tx: Transaction, series: Series, reasons: Mapping[str, str], *, notifies: bool = True
) -> int:
    """Like ``cancel_dates``, with a reason for each date by name, as one action. Dates already cancelled keep theirs."""
    await materialize.ensure_all_stored(tx, series, list(reasons))
    before = await undo.take_snapshot(tx, series)
    dates = [one for one in await _stored(tx, series, list(reasons)) if not one.is_cancelled]

    async def call_off(dates: list[Event]) -> list[Event]:
        by_reason: dict[str, list[Event]] = {}
        for one in dates:
            assert one.position_in_series is not None  # noqa: S101  # a date of the series
            by_reason.setdefault(reasons[one.position_in_series.original_date], []).append(one)
        cancelled = {
            one.id: one
            for reason, some in by_reason.items()
            for one in await cancel_each(tx, some, reason, by=series.changed_by)
        }
        return [cancelled[one.id] for one in dates]

    changed, news = await _change(tx, series, dates, call_off, event_kinds.EVENT_CANCELLED, notifies=notifies)
    if not changed:
        return 0
    await _notify_and_store_snapshot(tx, series, before, UndoableAction.CANCEL_DATES, news, notifies=notifies)
    await fill_freed_seats(tx, changed)
    return len(changed)


async def reinstate_dates(tx: Transaction, series: Series, names: Sequence[str], *, notifies: bool = True) -> int:
    """Reinstate cancelled dates and notify the same people. Returns the number of changed dates."""
    before = await undo.take_snapshot(tx, series)
    # Computed dates take place anyway, so they need not be stored.
    await _check_dates(tx, series, names)
    changed, news = await _reinstate(tx, series, await _stored(tx, series, names), notifies=notifies)
    if not changed:
        return 0
    await _notify_and_store_snapshot(tx, series, before, UndoableAction.REINSTATE_DATES, news, notifies=notifies)
    await fill_freed_seats(tx, changed)
    return len(changed)


async def cancel(tx: Transaction, series: Series, reason: str, *, notifies: bool = True) -> tuple[Series, int]:
    """Cancel the whole series: it makes no new dates, and all upcoming ones are cancelled. Returns the series and the
    number of changed dates.

    If it is already cancelled, a new reason replaces the old one, and an empty one keeps it.
    """
    before = await undo.take_snapshot(tx, series)
    is_again = series.status is SeriesStatus.CANCELLED
    reason = reason or (series.status_reason if is_again else "")
    coming = [event for event in await lock_dates(tx, series.id) if not event.is_gone and not event.is_over(tx.now)]
    with_it = await date_queries.cancelled_with_series(tx, series.id)
    # Dates cancelled on their own keep their reason and stay cancelled when the series resumes.
    going = [one for one in coming if not one.is_cancelled or one.id in with_it]
    changed, news = await _cancel(tx, series, going, reason, notifies=notifies)
    if is_again and not changed and reason == series.status_reason:
        return series, 0
    await date_queries.mark_cancelled_with_series(tx, [after.id for _, after in changed])
    saved = await save_series.save(tx, replace(series, status=SeriesStatus.CANCELLED, status_reason=reason))
    await _notify_and_store_snapshot(tx, saved, before, UndoableAction.CANCEL, news, notifies=notifies)
    return saved, len(changed)


async def reinstate_with_series(tx: Transaction, series: Series, *, notifies: bool) -> tuple[int, list[SeriesNews]]:
    """Reinstate upcoming dates that were cancelled with the series, but not those cancelled on their own.

    Returns their number, and the notifications for the caller to send.
    """
    with_it = await date_queries.cancelled_with_series(tx, series.id)
    coming = [
        event
        for event in await lock_dates(tx, series.id)
        if event.id in with_it and not event.is_gone and not event.is_over(tx.now)
    ]
    changed, news = await _reinstate(tx, series, coming, notifies=notifies)
    await fill_freed_seats(tx, changed)
    return len(changed), news


async def remove_dates(tx: Transaction, series: Series, names: Sequence[str], *, notifies: bool = True) -> Series:
    """Remove dates from the locked series permanently: the rule excludes them, and stored ones are deleted.

    Raises NotFound if one of them is not a date of the series.
    """
    before = await undo.take_snapshot(tx, series)
    await _check_dates(tx, series, names)
    old_pattern = series.timing.pattern
    left_out = tuple(sorted({*old_pattern.left_out, *map(original_of, names)}))
    added = tuple(at for at in old_pattern.added if at not in left_out)
    named = set(names)
    to_delete = [
        event
        for event in await lock_dates(tx, series.id)
        if event.position_in_series is not None
        and event.position_in_series.original_date in named
        and not event.is_gone
    ]
    deleted = await delete_each(tx, to_delete)
    await make_rsvp_records_due(tx, [event.id for event in deleted])
    # Detach them, so that the name is free if the host adds the date again.
    await date_queries.detach(tx, [event.id for event in deleted])
    news = await notify.of_changes(
        tx,
        series,
        list(zip(to_delete, deleted, strict=True)),
        event_kinds.EVENT_DELETED,
        notifies=notifies,
        notifies_followers=notifies,
    )
    new_pattern = pattern(
        old_pattern.start,
        old_pattern.zone_name,
        old_pattern.rule,
        left_out=left_out,
        added=added,
        is_all_day=old_pattern.is_all_day,
    )
    saved = await save_series.save(tx, replace(series, timing=replace(series.timing, pattern=new_pattern)))
    await materialize.store_window(tx, saved)
    news += await notify.of_edit(tx, saved)
    await _notify_and_store_snapshot(tx, saved, before, UndoableAction.REMOVE_DATES, news, notifies=notifies)
    return saved


async def add_date(tx: Transaction, series: Series, original_date: str, *, notifies: bool = True) -> Event:
    """Add a date to the locked series in addition to those of its rule. Followers are notified.

    Raises Refused: ``DateTaken`` (there is one at that time), ``DateOver``, ``TooFarAhead``.
    """
    before = await undo.take_snapshot(tx, series)
    old_pattern = series.timing.pattern
    original = original_of(original_date)
    stored = await date_queries.date_of(tx, series.id, original_date)
    if stored is not None and stored.is_gone:
        await date_queries.detach(tx, [stored.id])
    elif stored is not None or expansion.is_date_of(old_pattern, original):
        raise Refused(SeriesReason.DATE_TAKEN, name="DateTaken")
    if instant_of(original, series.zone_name) <= tx.now:
        raise Refused(SeriesReason.DATE_OVER, name="DateOver")
    if instant_of(original, series.zone_name) > tx.now + OPENED_AHEAD:
        raise Refused(SeriesReason.DATE_TOO_FAR_AHEAD, name=TOO_FAR_AHEAD, years=OPENED_AHEAD_YEARS)
    left_out = [at for at in old_pattern.left_out if at != original]
    new_pattern = pattern(
        old_pattern.start,
        old_pattern.zone_name,
        old_pattern.rule,
        left_out=left_out,
        added=old_pattern.added,
        is_all_day=old_pattern.is_all_day,
    )
    if not expansion.is_date_of(new_pattern, original):
        new_pattern = pattern(
            old_pattern.start,
            old_pattern.zone_name,
            old_pattern.rule,
            left_out=left_out,
            added=[*old_pattern.added, original],
            is_all_day=old_pattern.is_all_day,
        )
    saved = await save_series.save(tx, replace(series, timing=replace(series.timing, pattern=new_pattern)))
    made = await materialize.store(tx, saved, [original])
    await series_dates.enqueue_by_policy(tx, [series.id])
    news = notify.of_new_dates(saved, made) if notifies else []
    await _notify_and_store_snapshot(tx, saved, before, UndoableAction.ADD_DATE, news, notifies=notifies)
    return made[0]


async def _check_dates(tx: Transaction, series: Series, names: Sequence[str]) -> None:
    """Raise NotFound if one of these is not a date of the series, neither stored nor computed."""
    stored_names = await date_queries.stored_names(tx, series.id, since=min(names, default=""))
    for name in names:
        if name not in stored_names:
            materialize.original_in(series, name)


async def _stored(tx: Transaction, series: Series, names: Sequence[str]) -> list[Event]:
    """Lock and return the given dates that are stored events."""
    name_set = set(names)
    return [
        event
        for event in await lock_dates(tx, series.id)
        if event.position_in_series is not None
        and event.position_in_series.original_date in name_set
        and not event.is_gone
    ]


async def _notify_and_store_snapshot(
    tx: Transaction,
    series: Series,
    before: undo.LockedSeries,
    act: UndoableAction,
    news: list[SeriesNews],
    *,
    notifies: bool,
) -> None:
    fan_out_id = await notify.notify_people(tx, series, news)
    await undo.store_snapshot(tx, before, act, is_silent=not notifies, fan_out_id=fan_out_id)


async def _cancel(
    tx: Transaction, series: Series, dates: list[Event], reason: str, *, notifies: bool
) -> tuple[list[tuple[Event, Event]], list[SeriesNews]]:
    async def call_off(dates: list[Event]) -> list[Event]:
        return await cancel_each(tx, dates, reason, by=series.changed_by)

    return await _change(tx, series, dates, call_off, event_kinds.EVENT_CANCELLED, notifies=notifies)


async def _reinstate(
    tx: Transaction, series: Series, dates: list[Event], *, notifies: bool
) -> tuple[list[tuple[Event, Event]], list[SeriesNews]]:
    async def bring_back(dates: list[Event]) -> list[Event]:
        return await reinstate_each(tx, dates, by=series.changed_by)

    return await _change(tx, series, dates, bring_back, event_kinds.EVENT_REINSTATED, notifies=notifies)


async def _change(
    tx: Transaction,
    series: Series,
    dates: list[Event],
    change: Change,
    kind: NotificationKind[DatesChanged],
    *,
    notifies: bool,
) -> tuple[list[tuple[Event, Event]], list[SeriesNews]]:
    """Change dates. Returns the changes as (before, after), and the notifications, which the caller sends with the rest
    of the action.
    """
    dates = sorted(dates, key=lambda event: (event.starts_at or 0, event.id))
    after = await change(dates)
    pairs = [(one, then) for one, then in zip(dates, after, strict=True) if then.revision != one.revision]
    await series_dates.enqueue_by_policy(tx, [series.id])
    return pairs, await notify.of_changes(tx, series, pairs, kind, notifies=notifies, notifies_followers=notifies)
