"""Apply an edit to a series and its dates as planned (``plan``). A new picture is such an edit, too.

Attendees of changed dates and followers are notified once per edit, however many dates it affects. Edits can be undone
for a while (``undo``). Callers of ``apply_plan`` hold the lock on the series.
"""

from dataclasses import replace

from groundwork.database.transaction import Transaction
from groundwork.errors import Refused
from openmeet.domain.attendance import event_changes, invitation_queries, reevaluation, registration
from openmeet.domain.attendance.event_changes import fill_freed_seats, make_rsvp_records_due
from openmeet.domain.events import series_dates
from openmeet.domain.events.edits import STARTS
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.events.queries import lock_dates
from openmeet.domain.events.series_dates import delete_each, revise_dates
from openmeet.domain.media.pictures import Picture
from openmeet.domain.notifications import event_kinds
from openmeet.domain.series import calendar_uids, date_queries, follower_queries, materialize, notify, save_series, undo
from openmeet.domain.series.actions import lock_to_change, new_series, reread
from openmeet.domain.series.model import EditScope, Series, SeriesId, SeriesSlug
from openmeet.domain.series.plan import EditPlan, plan_all
from openmeet.domain.series.reasons import SeriesReason
from openmeet.domain.series.save_series import save
from openmeet.domain.series.undo import UndoableAction
from openmeet.domain.users.model import Caller


async def apply_plan(
    tx: Transaction, series: Series, plan: EditPlan, *, notifies: bool = True, is_read: bool = False
) -> Series:
    """Apply a plan to the locked series, either completely or not at all. Returns the series that its dates belong to
    afterwards.

    ``notifies``: False if the host chose not to notify attendees. New times and deleted dates are announced anyway.
    ``is_read``: the plan comes from the series' record, so no publication is enqueued for it.
    """
    before = await undo.take_snapshot(tx, series)
    retires = plan.scope is not EditScope.ALL or calendar_uids.keeps_form(series.timing.pattern, plan.timing.pattern)
    target = await _target(tx, series, plan, is_read=is_read)
    locked = {event.id: event for event in await lock_dates(tx, series.id)}
    vanishing = [locked[event.id] for event in plan.vanishing]
    gone = list(zip(vanishing, await delete_each(tx, vanishing), strict=True))
    # Detach deleted dates, so that other dates can take their names.
    await date_queries.detach(tx, [event.id for event in plan.vanishing], retires=retires)
    moves = _moves(target, plan)
    await date_queries.free_positions(tx, moves, retires=retires)
    new_details = [
        (_at_position(locked[change.event.id], target.id, change.original_date), change.details, change.overridden)
        for change in plan.changes
    ]
    after = await revise_dates(tx, new_details, by=series.changed_by)
    # ``revise_dates`` has already written the new positions of changed dates; this moves the others.
    await date_queries.set_positions(tx, moves, retires=retires)
    changed = [
        (now, then) for (now, _, _), then in zip(new_details, after, strict=True) if then.revision != now.revision
    ]
    shown_otherwise = [then for now, then in changed if now.visibility is not then.visibility]
    await make_rsvp_records_due(tx, [one.id for one in (*vanishing, *shown_otherwise)])
    await event_changes.release_awaiting_rsvps(tx, shown_otherwise)
    await event_changes.complete_new_dates(tx, shown_otherwise)
    await reevaluation.enqueue_former_members(tx, shown_otherwise)
    # Dates that the rule no longer has keep their own start.
    await date_queries.add_overrides(tx, [locked[stored_date.event.id] for stored_date in plan.stranded], STARTS)
    made = await materialize.store_window(tx, target)
    news = await notify.of_changes(tx, target, changed, event_kinds.EVENT_CHANGED, notifies=notifies)
    news += await notify.of_changes(tx, target, gone, event_kinds.EVENT_DELETED, notifies=notifies)
    if plan.scope is not EditScope.THIS:
        news += await notify.of_edit(tx, target)
    if notifies:
        news += notify.of_new_dates(target, made)
    if plan.scope is not EditScope.THIS:
        news = notify.with_rule(news, series.timing.pattern, plan.timing.pattern)
    fan_out_id = await notify.notify_people(tx, target, news)
    await fill_freed_seats(tx, changed)
    is_split = target.id != series.id
    if is_split:
        await series_dates.enqueue_by_policy(tx, [series.id])
        await series_dates.make_published_dates_due(tx, [series.id])
    if is_split or plan.scope is EditScope.ALL:
        await series_dates.make_published_dates_due(tx, [target.id])
    act = UndoableAction.SPLIT if is_split else UndoableAction.EDIT
    made_by_it = target.id if is_split else None
    await undo.store_snapshot(tx, before, act, made=made_by_it, is_silent=not notifies, fan_out_id=fan_out_id)
    return await reread(tx, target.id)


async def _target(tx: Transaction, series: Series, plan: EditPlan, *, is_read: bool) -> Series:
    """Save and return the series that the plan's dates belong to: the series itself, or the one created by a split."""
    match plan.scope:
        case EditScope.THIS:
            return series
        case EditScope.ALL:
            return await save(tx, replace(series, content=plan.content, timing=plan.timing), publishes=not is_read)
        case EditScope.FOLLOWING:
            assert plan.before is not None  # noqa: S101  # a split has an earlier part
            first = await save(tx, replace(series, timing=plan.before))
            later_part = replace(
                new_series(tx.now, series.owner_id, plan.content, plan.timing, series.policy, series.group),
                split_from=series.id,
                record_settings=series.record_settings,
                status=series.status,
                status_reason=series.status_reason,
                needs_author_approval=first.needs_author_approval,
                changed_by=series.changed_by,
            )
            await save_series.insert(tx, later_part)
            await follower_queries.copy_all(tx, series.id, later_part.id)
            await registration.copy(tx, series.id, later_part.id)
            await invitation_queries.copy(tx, series.id, later_part.id)
            return later_part


def _moves(target: Series, plan: EditPlan) -> list[tuple[EventId, SeriesId, str]]:
    """Stored dates that move to another series or get another name."""
    places = [(change.event, change.original_date) for change in plan.changes]
    places += [(stored_date.event, stored_date.original_date) for stored_date in plan.stranded]
    return [
        (event.id, target.id, name)
        for event, name in places
        if event.position_in_series is None
        or (event.position_in_series.series_id, event.position_in_series.original_date) != (target.id, name)
    ]


def _at_position(event: Event, series_id: SeriesId, original_date: str) -> Event:
    position = event.position_in_series
    assert position is not None  # noqa: S101  # a date of a series
    return replace(event, position_in_series=replace(position, series_id=series_id, original_date=original_date))


async def set_picture(
    tx: Transaction, caller: Caller, slug: SeriesSlug, picture: Picture, *, expected_revision: int | None = None
) -> Series:
    """Set the picture of the series. Upcoming dates show it unless they override it with their own picture or none.

    Raises the same errors as ``actions.lock_to_change``.
    """
    series = await lock_to_change(tx, caller, slug, expected_revision=expected_revision)
    return await _show_picture(tx, series, picture)


async def describe_picture(
    tx: Transaction, caller: Caller, slug: SeriesSlug, alt: str, *, expected_revision: int | None = None
) -> Series:
    """Change the picture's description. Raises the same errors as ``set_picture``, and Refused (``NoPicture``)."""
    series = await lock_to_change(tx, caller, slug, expected_revision=expected_revision)
    before = series.content.picture
    if before is None:
        raise Refused(SeriesReason.NO_PICTURE, name="NoPicture")
    return await _show_picture(tx, series, replace(before, alt=alt))


async def remove_picture(
    tx: Transaction, caller: Caller, slug: SeriesSlug, *, expected_revision: int | None = None
) -> Series:
    """Remove the picture. Raises the same errors as ``set_picture``."""
    series = await lock_to_change(tx, caller, slug, expected_revision=expected_revision)
    return await _show_picture(tx, series, None)


async def _show_picture(tx: Transaction, series: Series, picture: Picture | None) -> Series:
    """Apply the change as an ordinary edit of all dates, which is published and can be undone for minutes.

    Nobody is notified, because a picture does not affect anybody's plans.
    """
    if series.content.picture == picture:
        return series
    content = replace(series.content, picture=picture)
    stored = await date_queries.stored(tx, series.id)
    return await apply_plan(tx, series, plan_all(series, content, series.timing, stored, tx.now), notifies=False)
