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
from groundwork.database.transaction import Reader, Transaction
from groundwork.errors import Refused
from groundwork.uuid7 import new_id
from openmeet.domain.attendance import invitation_queries, network_rsvps, reevaluation
from openmeet.domain.attendance.actions import fill_freed_seats, recheck_rsvp_records
from openmeet.domain.attendance.notify import FanOutProgress
from openmeet.domain.events import series_dates
from openmeet.domain.events.edits import details_in, differing
from openmeet.domain.events.model import Details, Event, EventId, EventStatus
from openmeet.domain.events.queries import COLUMNS as EVENT_COLUMNS
from openmeet.domain.events.queries import event_of
from openmeet.domain.events.series_dates import agree_to_dates, delete_each, restore_dates, revise_dates
from openmeet.domain.notifications import fan_out, kinds
from openmeet.domain.notifications.fan_out import FanOutId
from openmeet.domain.notifications.kinds import DatesChanged, NotificationKind
from openmeet.domain.series import date_queries, follower_queries, materialize, notify, queries, save_series
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
    and not exists (select 1 from event_series_standing_rsvps g where g.series_id = events.series_id and g.user_id = a.user_id))"""


class OccurrenceRow(msgspec.Struct, frozen=True):
    """A stored date with columns that are not part of ``Event``."""

    event: Event
    status_before: EventStatus
    is_cancelled_with_series: bool
    answers: int


class KeptDate(msgspec.Struct, frozen=True):
    """A date changed by an action: its state before, and a digest of its content afterwards."""

    known: OccurrenceRow
    digest: str


class UndoSnapshot(msgspec.Struct, frozen=True):
    """Snapshot of an action: the series' row before it, the revisions after it, and the dates. Kept only for minutes.

    ``fan_out_id``: the remaining fan-out. ``had``: dates stored at the same instant as the action, but before it.
    """

    series: dict[str, Any]
    revisions: dict[str, int]
    dates: list[KeptDate]
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
    kept: UndoSnapshot


async def known_dates(
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
    kept: UndoSnapshot,
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
        kept=msgspec.json.encode(kept).decode(),
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
    return await tx.execute("delete from event_series_undos where expires_at <= :now", now=tx.now)


# Long enough to see the result on the page, and short enough that few people have made plans based on it.
UNDONE_FOR = 10 * MINUTE


@dataclass(frozen=True, slots=True)
class LockedSeries:
    """A locked series and all its stored dates before an action."""

    series: Series
    dates: dict[EventId, OccurrenceRow]


async def take_snapshot(tx: Transaction, series: Series, *, also: Sequence[EventId] = ()) -> LockedSeries:
    """Take the snapshot before an action. ``also``: events that the action turns into dates of the series."""
    return LockedSeries(series, await known_dates(tx, [series.id], also=also))


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
    after = await known_dates(tx, ids, also=list(before.dates))
    changed = [
        KeptDate(known, digest_of(after[event_id]))
        for event_id, known in before.dates.items()
        if digest_of(after[event_id]) != digest_of(known)
    ]
    revisions = await queries.revisions(tx, ids)
    had = [event_id for event_id, known in before.dates.items() if known.event.created_at >= tx.now]
    kept = UndoSnapshot(
        queries.values_of(before.series), {str(one): revisions[one] for one in ids}, changed, fan_out_id, had
    )
    await insert(tx, before.series.id, made, act, kept, is_silent=is_silent, expires_at=tx.now + UNDONE_FOR)


async def open_undo(reader: Reader, series: Series) -> Undo | None:
    """The action of a series that can be undone: the newest one, if it is recent enough and the series was not changed
    since.
    """
    found = await newest(reader, series.id)
    if found is None or found.expires_at <= reader.now or found.kept.revisions.get(series.id) != series.revision:
        return None
    return found


async def undo(tx: Transaction, series: Series) -> Series:
    """Undo the newest action of a locked series that the caller may change. The same people are notified.

    ``series`` is the series that the action changed, not the one that it created. Raises Refused: ``NothingToUndo``,
    ``ChangedSince``, ``AnsweredSince``.
    """
    found = await newest(tx, series.id)
    if found is None or found.expires_at <= tx.now:
        raise Refused(SeriesReason.NOTHING_TO_UNDO, name="NothingToUndo")
    made = None if found.made is None else await queries.lock(tx, found.made)
    for one in (series, made):
        if one is not None and found.kept.revisions[one.id] != one.revision:
            raise Refused(SeriesReason.CHANGED_AGAIN, name="ChangedSince")
    old = {one.known.event.id: one for one in found.kept.dates}
    ids = [series.id] if made is None else [series.id, made.id]
    now = await known_dates(tx, ids, also=list(old))
    for event_id, date in old.items():
        if digest_of(now[event_id]) != date.digest:
            raise Refused(SeriesReason.DATE_CHANGED_SINCE, name="ChangedSince", date=_day(date.known.event))
    known = {*old, *found.kept.had}
    newer = [
        one
        for event_id, one in now.items()
        if event_id not in known and one.event.created_at >= found.created_at and not one.event.is_gone
    ]
    # A series that becomes paused or cancelled again makes no dates.
    makes_dates = found.kept.series["status"] == SeriesStatus.ACTIVE.value
    pattern = queries.pattern_of(found.kept.series) if makes_dates else None
    staying = _staying(pattern, newer, taken={_name(one.known.event) for one in old.values() if _is_date(one)})
    await save_series.restore(tx, series, found.kept.series)
    restored = await queries.by_id(tx, series.id)
    assert restored is not None  # noqa: S101  # rows of series are never deleted
    restored = replace(restored, changed_by=series.changed_by)
    if made is not None:
        await follower_queries.copy_all(tx, made.id, series.id)
        await invitation_queries.copy(tx, made.id, series.id)
        await save_series.save(tx, replace(made, deleted_at=tx.now, changed_by=series.changed_by))
    await _remove_added(tx, [one.event for one in newer if one.event not in staying])
    # An event that the action turned into a date becomes a single event again and keeps its RSVPs.
    await date_queries.detach(tx, [event_id for event_id, one in old.items() if not _is_date(one)])
    await date_queries.set_positions(
        tx,
        [(event_id, series.id, _name(one.known.event)) for event_id, one in old.items() if _is_date(one)]
        + [(event.id, series.id, _name(event)) for event in staying],
    )
    pairs = await _restore(
        tx, [(now[event_id].event, one.known) for event_id, one in old.items()], by=series.changed_by
    )
    await revise_dates(tx, [_as_usual(restored, event) for event in staying], by=series.changed_by)
    if series.needs_author_approval and not restored.needs_author_approval:
        await agree_to_dates(tx, restored.id, restored.owner_id)
    # After a split, people were notified of the rule of the later part, which is now deleted.
    last_pattern = (made or series).timing.pattern
    dates = [(before, after) for before, after in pairs if after.place_in_series is not None]
    news = notify.with_rule(_news(restored, dates, is_silent=found.is_silent), last_pattern, restored.timing.pattern)
    if series.status is SeriesStatus.PAUSED and not found.is_silent:
        news += await notify.of_status(tx, restored, kinds.SERIES_RESUMED, "")
    await notify.notify_people(tx, restored, news, only=await _stop_fan_out(tx, found))
    await fill_freed_seats(tx, pairs)
    await note_undone(tx, found.id)
    await materialize.store_window(tx, restored)
    await series_dates.enqueue_by_policy(tx, restored.id)
    return restored


def digest_of(known: OccurrenceRow) -> str:
    """Digest of the fields of a date that its host decides."""
    event = known.event
    snapshot = (
        None if event.starts_at is None else details_in(event),
        event.place_in_series,
        event.status,
        event.status_reason,
        event.deleted_at,
    )
    return hashlib.sha256(msgspec.json.encode(snapshot)).hexdigest()[:32]


def _staying(pattern: Pattern | None, newer: Sequence[OccurrenceRow], *, taken: Collection[str]) -> list[Event]:
    """Return those dates stored by the action or later that the restored series has as well. The others will be
    removed.

    ``pattern`` is the pattern of the restored series, or None if it makes no dates. Raises Refused if somebody answered
    a date that would be removed.
    """
    staying = []
    for one in newer:
        name = _name(one.event)
        if name not in taken and pattern is not None and expansion.is_date_of(pattern, original_of(name)):
            staying.append(one.event)
        elif one.answers:
            raise Refused(SeriesReason.DATE_ANSWERED_SINCE, name="AnsweredSince", date=_day(one.event))
    return staying


async def _stop_fan_out(tx: Transaction, act: Undo) -> FanOutProgress | None:
    """Stop the fan-out of an undone action. Returns how far it got, or None if everybody was notified."""
    until = None if act.kept.fan_out_id is None else await fan_out.stop(tx, act.kept.fan_out_id)
    return None if until is None else FanOutProgress(UserId(until), act.created_at)


async def _remove_added(tx: Transaction, dates: Sequence[Event]) -> None:
    await delete_each(tx, dates)
    await recheck_rsvp_records(tx, [event.id for event in dates])
    await date_queries.detach(tx, [event.id for event in dates])


async def _restore(
    tx: Transaction, wanted: Sequence[tuple[Event, OccurrenceRow]], *, by: UserId | None
) -> list[tuple[Event, Event]]:
    """Restore the dates. Returns (before, after) pairs."""
    after = await restore_dates(tx, [(now, known.event, known.status_before) for now, known in wanted], by=by)
    await date_queries.mark_cancelled_with_series(
        tx, [known.event.id for _, known in wanted if known.is_cancelled_with_series and known.event.is_cancelled]
    )
    pairs = [(now, again) for (now, _), again in zip(wanted, after, strict=True)]
    shown_otherwise = [
        again for now, again in pairs if now.visibility is not again.visibility or now.is_gone is not again.is_gone
    ]
    await recheck_rsvp_records(tx, [one.id for one in shown_otherwise])
    await network_rsvps.reconsider_hidden_rsvps(tx, shown_otherwise)
    await reevaluation.recheck_former_members(tx, shown_otherwise)
    return pairs


def _news(series: Series, pairs: Sequence[tuple[Event, Event]], *, is_silent: bool) -> list[SeriesNews]:
    groups: dict[NotificationKind[DatesChanged], list[tuple[Event, Event]]] = {}
    for before, after in pairs:
        groups.setdefault(_kind(before, after), []).append((before, after))
    return [one for kind, its in groups.items() for one in notify.of_changes(series, its, kind, notifies=not is_silent)]


def _kind(before: Event, after: Event) -> NotificationKind[DatesChanged]:
    if after.is_cancelled and not before.is_cancelled:
        return kinds.EVENT_CANCELLED
    if (before.is_cancelled and not after.is_cancelled) or (before.is_gone and not after.is_gone):
        return kinds.EVENT_REINSTATED
    return kinds.EVENT_CHANGED


def _as_usual(series: Series, event: Event) -> tuple[Event, Details, tuple[str, ...]]:
    """The event, details and overridden fields of a date that follows the series again, except in its own overrides."""
    place = event.place_in_series
    assert place is not None  # noqa: S101  # a date of a series
    usual = details_of(series.content, series.timing, original_of(place.original_date))
    details = apply_series_details(details_in(event), usual, place.overridden)
    placed = replace(event, place_in_series=replace(place, series_id=series.id))
    return placed, details, differing(details, usual)


def _is_date(one: KeptDate) -> bool:
    """Whether the event was a date of a series before the action."""
    return one.known.event.place_in_series is not None


def _name(event: Event) -> str:
    assert event.place_in_series is not None  # noqa: S101  # a date of a series
    return event.place_in_series.original_date


def _day(event: Event) -> str:
    assert event.starts_at is not None  # noqa: S101  # dates of a series have a start
    return formatting.short_day(local_of(event.starts_at, event.time_zone))
