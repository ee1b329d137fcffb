"""Undo of the last action on a series, possible for ten minutes.

A snapshot stores the rows before the action, and a digest of their content after it. An action is undone completely or
not at all. If anything was changed since, or somebody answered a date that the undo would remove, it is refused with
the reason.
"""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import msgspec

from groundwork.clock import MINUTE, Instant
from groundwork.database.pages import delete_some
from groundwork.database.transaction import Reader, Transaction
from groundwork.errors import Refused
from groundwork.uuid7 import new_id
from openmeet.domain.attendance import event_changes, invitation_queries, reevaluation
from openmeet.domain.attendance.event_changes import fill_freed_seats, make_rsvp_records_due
from openmeet.domain.attendance.notify import FanOutProgress
from openmeet.domain.events import series_dates
from openmeet.domain.events.edits import details_in, differing
from openmeet.domain.events.model import Details, Event, EventId, EventStatus
from openmeet.domain.events.queries import COLUMNS as EVENT_COLUMNS
from openmeet.domain.events.queries import event_of
from openmeet.domain.events.series_dates import approve_dates, delete_each, restore_dates, revise_dates
from openmeet.domain.notifications import event_kinds, fan_out
from openmeet.domain.notifications.event_kinds import DatesChanged
from openmeet.domain.notifications.fan_out import FanOutId
from openmeet.domain.notifications.model import NotificationKind
from openmeet.domain.series import (
    calendar_uids,
    date_queries,
    follower_queries,
    materialize,
    notify,
    queries,
    save_series,
)
from openmeet.domain.series.dates import apply_series_details, details_of, original_of
from openmeet.domain.series.model import Series, SeriesId, SeriesStatus
from openmeet.domain.series.notify import SeriesNews
from openmeet.domain.series.reasons import SeriesReason
from openmeet.domain.users.model import UserId
from openmeet.i18n import formatting
from openmeet.recurrence import expansion
from openmeet.recurrence.pattern import Pattern
from openmeet.recurrence.wall_time import local_of

# RSVPs to this very date. Standing RSVPs do not count, because they do not depend on a single date.
_ANSWERS = """(select count(*) from attendances a where a.event_id = events.id
    and a.status in ('attending', 'interested', 'pending', 'waitlisted', 'attended')
    and not exists (select 1 from event_series_standing_rsvps g where g.series_id = events.series_id
        and g.user_id = a.user_id))"""


class OccurrenceRow(msgspec.Struct, frozen=True):
    """A stored date with columns that are not part of ``Event``."""

    event: Event
    status_before: EventStatus
    is_cancelled_with_series: bool
    answers: int


class ChangedDate(msgspec.Struct, frozen=True, rename={"before": "known"}):
    """A date changed by an action: its state before, and a digest of its content afterwards."""

    before: OccurrenceRow
    digest: str


class UndoSnapshot(msgspec.Struct, frozen=True):
    """Snapshot of an action: the series' row before it, the revisions after it, and the dates. Kept only for minutes.

    ``fan_out_id``: the remaining fan-out. ``had``: dates stored at the same instant as the action, but before it.
    """

    series: dict[str, Any]
    revisions: dict[str, int]
    dates: list[ChangedDate]
    fan_out_id: FanOutId | None = None
    had: list[EventId] = []


class UndoableAction(StrEnum):
    """Undoable actions."""

    EDIT = "edit"
    SPLIT = "split"
    CANCEL_DATES = "cancel_dates"
    CANCEL = "cancel"
    REINSTATE_DATES = "reinstate_dates"
    RESUME = "resume"
    PAUSE = "pause"
    REMOVE_DATES = "remove_dates"
    ADD_DATE = "add_date"
    ADD_EVENT = "add_event"


@dataclass(frozen=True, slots=True)
class Undo:
    """An action that can be undone. ``series_id`` is the series it changed, and ``made`` is the series it created."""

    id: str
    series_id: SeriesId
    made: SeriesId | None
    act: UndoableAction
    is_silent: bool
    created_at: Instant
    expires_at: Instant
    snapshot: UndoSnapshot


async def stored_dates(
    reader: Reader, series_ids: Sequence[SeriesId], *, also: Sequence[EventId] = ()
) -> dict[EventId, OccurrenceRow]:
    """All stored dates of these series, and the events in ``also``, by id."""
    rows = await reader.fetch(
        f"select {EVENT_COLUMNS}, status_before, is_cancelled_with_series, {_ANSWERS} as answers from events"
        " where series_id in :series_ids or id in :also order by id",
        series_ids=list(series_ids),
        also=list(also) or [""],
    )
    return {
        EventId(row["id"]): OccurrenceRow(
            event_of(row),
            EventStatus(row["status_before"] or EventStatus.SCHEDULED),
            bool(row["is_cancelled_with_series"]),
            row["answers"],
        )
        for row in rows
    }


async def insert(
    tx: Transaction,
    series_id: SeriesId,
    made: SeriesId | None,
    act: UndoableAction,
    snapshot: UndoSnapshot,
    *,
    is_silent: bool,
    expires_at: int,
) -> None:
    await tx.execute(
        """
        insert into event_series_undos (id, series_id, made, act, is_silent, kept, created_at, expires_at, undone_at)
        values (:id, :series_id, :made, :act, :is_silent, :kept, :now, :expires_at, null)
        """,
        id=new_id(tx.now),
        series_id=series_id,
        made=made,
        act=act,
        is_silent=int(is_silent),
        kept=msgspec.json.encode(snapshot).decode(),
        now=tx.now,
        expires_at=expires_at,
    )


async def newest(reader: Reader, series_id: SeriesId) -> Undo | None:
    """The latest action, not undone yet, that changed or created this series."""
    row = await reader.fetch_one(
        "select id, series_id, made, act, is_silent, kept, created_at, expires_at from event_series_undos"
        " where (series_id = :series_id or made = :series_id) and undone_at is null"
        " order by created_at desc, id desc limit 1",
        series_id=series_id,
    )
    if row is None:
        return None
    return Undo(
        row["id"],
        SeriesId(row["series_id"]),
        None if row["made"] is None else SeriesId(row["made"]),
        UndoableAction(row["act"]),
        bool(row["is_silent"]),
        row["created_at"],
        row["expires_at"],
        msgspec.json.decode(row["kept"], type=UndoSnapshot),
    )


async def note_undone(tx: Transaction, undo_id: str) -> None:
    """Record that an action was undone, so that it is not undone twice."""
    await tx.execute("update event_series_undos set undone_at = :now where id = :id", now=tx.now, id=undo_id)


async def forget_expired(tx: Transaction) -> int:
    return await delete_some(tx, "event_series_undos", "expires_at <= :now", now=tx.now)


# Long enough to see the result on the page, and short enough that few people have made plans based on it.
UNDONE_FOR = 10 * MINUTE


@dataclass(frozen=True, slots=True)
class LockedSeries:
    """A locked series and all its stored dates before an action."""

    series: Series
    dates: dict[EventId, OccurrenceRow]


async def take_snapshot(tx: Transaction, series: Series, *, also: Sequence[EventId] = ()) -> LockedSeries:
    """Take the snapshot before an action. ``also``: events that the action turns into dates of the series."""
    return LockedSeries(series, await stored_dates(tx, [series.id], also=also))


async def store_snapshot(
    tx: Transaction,
    before: LockedSeries,
    act: UndoableAction,
    *,
    made: SeriesId | None = None,
    is_silent: bool = False,
    fan_out_id: FanOutId | None = None,
) -> None:
    """Store what is needed to undo an action, after the action.

    ``made``: the series that the action created. ``fan_out_id``: the remaining fan-out.
    """
    ids = [before.series.id] if made is None else [before.series.id, made]
    after = await stored_dates(tx, ids, also=list(before.dates))
    changed = [
        ChangedDate(date, digest_of(after[event_id]))
        for event_id, date in before.dates.items()
        if digest_of(after[event_id]) != digest_of(date)
    ]
    revisions = await queries.revisions(tx, ids)
    had = [event_id for event_id, date in before.dates.items() if date.event.created_at >= tx.now]
    snapshot = UndoSnapshot(
        queries.values_of(before.series), {str(one): revisions[one] for one in ids}, changed, fan_out_id, had
    )
    await insert(tx, before.series.id, made, act, snapshot, is_silent=is_silent, expires_at=tx.now + UNDONE_FOR)


async def open_undo(reader: Reader, series: Series) -> Undo | None:
    """The action of a series that can be undone: the newest one, if it is recent enough and the series was not changed
    since.
    """
    action = await newest(reader, series.id)
    if action is None or action.expires_at <= reader.now or action.snapshot.revisions.get(series.id) != series.revision:
        return None
    return action


async def undo(tx: Transaction, series: Series) -> Series:
    """Undo the newest action of a locked series that the caller may change. The same people are notified.

    ``series`` is the series that the action changed, not the one that it created. Raises Refused: ``NothingToUndo``,
    ``ChangedSince``, ``AnsweredSince``.
    """
    plan = await _plan_undo(tx, series)
    restored = await _restore_series(tx, series, plan)
    retires = calendar_uids.keeps_form(series.timing.pattern, restored.timing.pattern)
    await _remove_added(tx, [one.event for one in plan.later_dates if one.event not in plan.staying], retires=retires)
    await _restore_positions(tx, restored, plan, retires=retires)
    # A date that was deleted before the action and still is has only lost its position.
    restorable = [
        (plan.dates_now[event_id].event, one.before)
        for event_id, one in plan.changed.items()
        if not (one.before.event.is_gone and plan.dates_now[event_id].event.is_gone)
    ]
    pairs = await _restore_dates(tx, restorable, series.changed_by)
    await revise_dates(tx, [_with_series_details(restored, event) for event in plan.staying], by=series.changed_by)
    if series.needs_author_approval and not restored.needs_author_approval:
        await approve_dates(tx, restored.id, restored.owner_id)
    await _notify_of_undo(tx, series, restored, plan, pairs)
    await fill_freed_seats(tx, pairs)
    await note_undone(tx, plan.action.id)
    await materialize.store_window(tx, restored)
    await series_dates.enqueue_by_policy(tx, [restored.id])
    return restored


@dataclass(frozen=True, slots=True)
class _UndoPlan:
    """What the undo of an action changes. The series are locked, and nothing was changed since the action.

    ``made`` is the series that the action created. ``changed`` has the dates that the action changed, and ``dates_now``
    all dates as they are now. ``later_dates`` were stored by the action or after it; ``staying`` are those of them that
    the restored series has as well.
    """

    action: Undo
    made: Series | None
    changed: dict[EventId, ChangedDate]
    dates_now: dict[EventId, OccurrenceRow]
    later_dates: list[OccurrenceRow]
    staying: list[Event]


async def _plan_undo(tx: Transaction, series: Series) -> _UndoPlan:
    """Lock the series that the action created, and check that the action can be undone."""
    action = await newest(tx, series.id)
    if action is None or action.expires_at <= tx.now:
        raise Refused(SeriesReason.NOTHING_TO_UNDO, name="NothingToUndo")
    snapshot = action.snapshot
    made = None if action.made is None else await queries.lock(tx, action.made)
    for one in (series, made):
        if one is not None and snapshot.revisions[one.id] != one.revision:
            raise Refused(SeriesReason.CHANGED_AGAIN, name="ChangedSince")
    changed = {one.before.event.id: one for one in snapshot.dates}
    ids = [series.id] if made is None else [series.id, made.id]
    dates_now = await stored_dates(tx, ids, also=list(changed))
    for event_id, date in changed.items():
        if digest_of(dates_now[event_id]) != date.digest:
            raise Refused(SeriesReason.DATE_CHANGED_SINCE, name="ChangedSince", date=_day(date.before.event))
    earlier_ids = {*changed, *snapshot.had}
    later_dates = [
        one
        for event_id, one in dates_now.items()
        if event_id not in earlier_ids and one.event.created_at >= action.created_at and not one.event.is_gone
    ]
    # A series that becomes paused or cancelled again makes no dates.
    makes_dates = snapshot.series["status"] == SeriesStatus.ACTIVE.value
    pattern = queries.pattern_of(snapshot.series) if makes_dates else None
    taken = {_name(one.before.event) for one in changed.values() if _is_date(one)}
    return _UndoPlan(action, made, changed, dates_now, later_dates, _staying(pattern, later_dates, taken=taken))


async def _restore_series(tx: Transaction, series: Series, plan: _UndoPlan) -> Series:
    """Restore the series and delete the one that the action created. Its followers and invitations move back."""
    await save_series.restore(tx, series, plan.action.snapshot.series)
    restored = await queries.by_id(tx, series.id)
    assert restored is not None  # noqa: S101  # rows of series are never deleted
    if plan.made is not None:
        await follower_queries.copy_all(tx, plan.made.id, series.id)
        await invitation_queries.copy(tx, plan.made.id, series.id)
        await save_series.save(tx, replace(plan.made, deleted_at=tx.now, changed_by=series.changed_by))
    return replace(restored, changed_by=series.changed_by)


async def _restore_positions(tx: Transaction, restored: Series, plan: _UndoPlan, *, retires: bool) -> None:
    """``retires`` is as in ``date_queries.free_positions``."""
    # An event that the action turned into a date becomes a single event again and keeps its RSVPs.
    single = [event_id for event_id, one in plan.changed.items() if not _is_date(one)]
    await date_queries.detach(tx, single, retires=retires)
    await date_queries.set_positions(
        tx,
        [
            *(
                (event_id, restored.id, _name(one.before.event))
                for event_id, one in plan.changed.items()
                if _is_date(one)
            ),
            *((event.id, restored.id, _name(event)) for event in plan.staying),
        ],
        retires=retires,
    )


async def _notify_of_undo(
    tx: Transaction, series: Series, restored: Series, plan: _UndoPlan, pairs: Sequence[tuple[Event, Event]]
) -> None:
    """Notify the people whom the action affected. ``pairs`` are the restored dates (before, after)."""
    is_silent = plan.action.is_silent
    dates = [(before, after) for before, after in pairs if after.position_in_series is not None]
    # After a split, people were notified of the rule of the later part, which is now deleted.
    last_pattern = (plan.made or series).timing.pattern
    # Followers do not hear that an action was undone of which they did not hear. Edits announce new times to them anyway.
    notifies_followers = not is_silent or plan.action.act in {UndoableAction.EDIT, UndoableAction.SPLIT}
    news = await _news(tx, restored, dates, is_silent=is_silent, notifies_followers=notifies_followers)
    news = notify.with_rule(news, last_pattern, restored.timing.pattern)
    if series.status is SeriesStatus.PAUSED and not is_silent:
        news += await notify.of_status(tx, restored, event_kinds.SERIES_RESUMED, "")
    await notify.notify_people(tx, restored, news, reached_by=await _stop_fan_out(tx, plan.action))


def digest_of(date: OccurrenceRow) -> str:
    """Digest of the fields of a date that its host decides."""
    event = date.event
    content = (
        None if event.starts_at is None else details_in(event),
        event.position_in_series,
        event.status,
        event.status_reason,
        event.deleted_at,
    )
    return hashlib.sha256(msgspec.json.encode(content)).hexdigest()[:32]


def _staying(pattern: Pattern | None, later_dates: Sequence[OccurrenceRow], *, taken: Collection[str]) -> list[Event]:
    """Return those dates stored by the action or later that the restored series has as well. The others will be
    removed.

    ``pattern`` is the pattern of the restored series, or None if it makes no dates. Raises Refused if somebody answered
    a date that would be removed.
    """
    staying = []
    for one in later_dates:
        name = _name(one.event)
        if name not in taken and pattern is not None and expansion.is_date_of(pattern, original_of(name)):
            staying.append(one.event)
        elif one.answers:
            raise Refused(SeriesReason.DATE_ANSWERED_SINCE, name="AnsweredSince", date=_day(one.event))
    return staying


async def _stop_fan_out(tx: Transaction, action: Undo) -> FanOutProgress | None:
    """Stop the fan-out of an undone action. Returns how far it got, or None if everybody was notified."""
    until = None if action.snapshot.fan_out_id is None else await fan_out.stop(tx, action.snapshot.fan_out_id)
    return None if until is None else FanOutProgress(UserId(until), action.created_at)


async def _remove_added(tx: Transaction, dates: Sequence[Event], *, retires: bool) -> None:
    await delete_each(tx, dates)
    await make_rsvp_records_due(tx, [event.id for event in dates])
    await date_queries.detach(tx, [event.id for event in dates], retires=retires)


async def _restore_dates(
    tx: Transaction, changed: Sequence[tuple[Event, OccurrenceRow]], by: UserId | None
) -> list[tuple[Event, Event]]:
    """Restore the dates, given as (now, before the action). Returns (before, after) pairs."""
    restored = await restore_dates(tx, [(now, date.event, date.status_before) for now, date in changed], by=by)
    await date_queries.mark_cancelled_with_series(
        tx, [date.event.id for _, date in changed if date.is_cancelled_with_series and date.event.is_cancelled]
    )
    pairs = [(now, after) for (now, _), after in zip(changed, restored, strict=True)]
    shown_otherwise = [
        after for now, after in pairs if now.visibility is not after.visibility or now.is_gone is not after.is_gone
    ]
    await make_rsvp_records_due(tx, [one.id for one in shown_otherwise])
    await event_changes.release_awaiting_rsvps(tx, shown_otherwise)
    await event_changes.complete_new_dates(tx, shown_otherwise)
    await reevaluation.enqueue_former_members(tx, shown_otherwise)
    return pairs


async def _news(
    tx: Transaction,
    series: Series,
    pairs: Sequence[tuple[Event, Event]],
    *,
    is_silent: bool,
    notifies_followers: bool,
) -> list[SeriesNews]:
    groups: dict[NotificationKind[DatesChanged], list[tuple[Event, Event]]] = {}
    for before, after in pairs:
        groups.setdefault(_kind(before, after), []).append((before, after))
    news: list[SeriesNews] = []
    for kind, its in groups.items():
        news += await notify.of_changes(
            tx, series, its, kind, notifies=not is_silent, notifies_followers=notifies_followers
        )
    return news


def _kind(before: Event, after: Event) -> NotificationKind[DatesChanged]:
    if after.is_cancelled and not before.is_cancelled:
        return event_kinds.EVENT_CANCELLED
    if (before.is_cancelled and not after.is_cancelled) or (before.is_gone and not after.is_gone):
        return event_kinds.EVENT_REINSTATED
    return event_kinds.EVENT_CHANGED


def _with_series_details(series: Series, event: Event) -> tuple[Event, Details, tuple[str, ...]]:
    """The event, details and overridden fields of a date that follows the series again, except in its own overrides."""
    position = event.position_in_series
    assert position is not None  # noqa: S101  # a date of a series
    usual = details_of(series.content, series.timing, original_of(position.original_date))
    details = apply_series_details(details_in(event), usual, position.overridden)
    placed = replace(event, position_in_series=replace(position, series_id=series.id))
    return placed, details, differing(details, usual)


def _is_date(date: ChangedDate) -> bool:
    """Whether the event was a date of a series before the action."""
    return date.before.event.position_in_series is not None


def _name(event: Event) -> str:
    assert event.position_in_series is not None  # noqa: S101  # a date of a series
    return event.position_in_series.original_date


def _day(event: Event) -> str:
    assert event.starts_at is not None  # noqa: S101  # dates of a series have a start
    return formatting.short_day(local_of(event.starts_at, event.time_zone))
