"""Bulk changes to the stored dates of a series, and which of them are published. Callers have locked the series and its
dates and checked the permission.

``by``: who makes the change. Other authors' dates then await their authors, as with an edit of a single event
(``publication``); None, for the scheduler, the network or the creation of the series, leaves that as it is.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final, Literal

from groundwork.clock import DAY
from groundwork.database.transaction import Reader, Transaction
from openmeet.domain.events import ownership, queries
from openmeet.domain.events.changes import notify_webhooks
from openmeet.domain.events.edits import STARTS, blank_event, details_in, search_text, with_details
from openmeet.domain.events.model import (
    USUAL_RECORD,
    Details,
    Event,
    EventId,
    EventStatus,
    GroupOfEvent,
    PlaceInSeries,
    RecordSettings,
)
from openmeet.domain.events.publication import waiting_for_authors
from openmeet.domain.events.queries import COLUMNS, event_of
from openmeet.domain.events.trust import look_first
from openmeet.domain.events.visibility import is_hidden, is_listed
from openmeet.domain.users.model import UserId
from openmeet.feature_flags.flags import Flag, switches
from openmeet.outbox import publications


async def create_dates(
    tx: Transaction,
    author_id: UserId,
    dates: Sequence[tuple[Details, PlaceInSeries]],
    *,
    is_published_by_policy: bool,
    group: GroupOfEvent | None = None,
    record: RecordSettings = USUAL_RECORD,
    needs_author_approval: bool = False,
) -> list[Event]:
    """Store dates of a locked series as events; they must not be stored yet."""
    made = [
        with_details(
            replace(
                blank_event(tx.now, _slug_text(details, place), author_id),
                content=details.content,
                record=record,
                place_in_series=place,
                is_published_by_policy=is_published_by_policy,
                group=group,
                needs_author_approval=needs_author_approval,
            ),
            details,
        )
        for details, place in dates
    ]
    await queries.insert_each(tx, [(event, search_text(event)) for event in made])
    for first in made[:1]:
        await look_first(tx, first)
    await notify_webhooks(tx, made)
    if is_published_by_policy:
        await publications.enqueue_many(
            tx,
            kind=publications.PublicationKind.EVENT,
            subjects=[(event.id, event.author_id, event.revision) for event in made],
        )
    return made


async def revise_dates(
    tx: Transaction, wanted: Sequence[tuple[Event, Details, tuple[str, ...]]], *, by: UserId | None
) -> list[Event]:
    """Set content and overridden fields of locked dates; unchanged ones make no revision.

    Returns the changed events, in their order.
    """
    found = []
    for event, details, overridden in wanted:
        assert event.place_in_series is not None  # noqa: S101  # a date of a series
        after = replace(
            with_details(event, details), place_in_series=replace(event.place_in_series, overridden=overridden)
        )
        found.append(after if after == event else _next(tx, after))
    return await _save_changed(tx, [event for event, _, _ in wanted], found, by)


async def restore_dates(
    tx: Transaction, wanted: Sequence[tuple[Event, Event, EventStatus]], *, by: UserId | None
) -> list[Event]:
    """Restore the earlier content of locked dates: (as it is, as it was, status before its cancellation).

    The caller, who knows the series, sets their positions in it; returns the changed events, in their order.
    """
    found = [
        replace(
            with_details(now, details_in(before)),
            status=before.status,
            status_reason=before.status_reason,
            place_in_series=before.place_in_series,
            # The series decides about dates; a single event has a record of its own.
            is_published_by_policy=now.is_published_by_policy or before.place_in_series is None,
            deleted_at=before.deleted_at,
            revision=now.revision + 1,
            updated_at=tx.now,
        )
        for now, before, _ in wanted
    ]
    # The status before matters only for events that were, or are, cancelled.
    off = [(now.id, status) for now, before, status in wanted if now.is_cancelled or before.is_cancelled]
    await queries.set_statuses_before(tx, off)
    return await _save_changed(tx, [now for now, _, _ in wanted], found, by)


async def cancel_each(tx: Transaction, dates: Sequence[Event], reason: str, *, by: UserId | None) -> list[Event]:
    """``cancel`` for locked dates of a series that the caller may change; returns the changed events, in their order."""
    await queries.set_statuses_before(tx, [(one.id, one.status) for one in dates if not one.is_cancelled])
    found = [
        one
        if one.is_cancelled and reason in {"", one.status_reason}
        else _next(tx, replace(one, status=EventStatus.CANCELLED, status_reason=reason))
        for one in dates
    ]
    return await _save_changed(tx, dates, found, by)


async def let_date_stand(tx: Transaction, date: Event, status: EventStatus) -> Event:
    """Set the status of a locked, re-imported date: planned, postponed. Returns the changed event."""
    (saved,) = await _save_changed(tx, [date], [_next(tx, replace(date, status=status))], None)
    return saved


async def reinstate_each(tx: Transaction, dates: Sequence[Event], *, by: UserId | None) -> list[Event]:
    """``reinstate`` for locked dates of a series that the caller may change; returns the changed events, in their
    order.
    """
    statuses = await queries.statuses_before(tx, [one.id for one in dates if one.is_cancelled])
    found = [
        _next(tx, replace(one, status=statuses[one.id], status_reason="")) if one.is_cancelled else one for one in dates
    ]
    return await _save_changed(tx, dates, found, by)


async def delete_each(tx: Transaction, dates: Sequence[Event]) -> list[Event]:
    """``delete_locked`` for locked dates of a series; returns the changed events, in their order."""
    gone = [_next(tx, replace(one, deleted_at=tx.now)) for one in dates]
    await queries.update_many(tx, [(one, "") for one in gone])
    await notify_webhooks(tx, gone)
    await publications.enqueue_retractions(
        tx,
        kind=publications.PublicationKind.EVENT,
        subjects=[(one.id, one.author_id, one.revision) for one in gone],
        records=await ownership.records_of(tx, gone),
    )
    return gone


async def leave_series(tx: Transaction, dates: Sequence[Event], *, by: UserId | None) -> None:
    """Detach locked dates from the series; they stay as single events."""
    left = [_next(tx, replace(one, place_in_series=None, is_published_by_policy=True)) for one in dates]
    await _save_changed(tx, dates, left, by)


async def let_wait(tx: Transaction, series_id: str, by: UserId) -> None:
    """Other authors' upcoming dates of a locked series await their authors: the series part of their records changed."""
    await ownership.let_dates_wait(tx, series_id, by)


async def agree_to_dates(tx: Transaction, series_id: str, author_id: UserId) -> list[Event]:
    """The author approves others' changes to their dates of a locked series; returns those dates."""
    waiting = [
        one
        for one in await queries.lock_dates(tx, series_id)
        if one.needs_author_approval and one.author_id == author_id and not one.is_gone
    ]
    agreed = [_next(tx, replace(one, needs_author_approval=False)) for one in waiting]
    await _save_all(tx, agreed)
    return agreed


async def set_records(tx: Transaction, dates: Sequence[Event], record: RecordSettings) -> list[Event]:
    """Change the record settings of these locked dates; returns those changed."""
    changed = [_next(tx, replace(one, record=record)) for one in dates if one.record != record]
    await _save_all(tx, changed)
    return changed


async def publish_by_policy(tx: Transaction, dates: Sequence[Event]) -> None:
    """Invert whether these dates of a series are published."""
    turned = [_next(tx, replace(one, is_published_by_policy=not one.is_published_by_policy)) for one in dates]
    await queries.save_policy(tx, turned)
    await _enqueue(tx, turned)


def _slug_text(details: Details, place: PlaceInSeries) -> str:
    """Words for a date's slug: with its day, because all dates of a series share a title, and slugs are unique."""
    return f"{details.content.title[:30]} {place.original_date[:10]}"


def _next(tx: Transaction, after: Event) -> Event:
    """The date as its next revision."""
    return replace(after, revision=after.revision + 1, updated_at=tx.now)


async def _save_changed(
    tx: Transaction, before: Sequence[Event], after: Sequence[Event], by: UserId | None
) -> list[Event]:
    """Save those of these dates that have a new revision, marked with who changed them; returns all."""
    changed = [then for now, then in zip(before, after, strict=True) if then.revision != now.revision]
    if by is not None:
        waiting = await waiting_for_authors(tx, changed, by)
        changed = [replace(one, needs_author_approval=one.id in waiting) for one in changed]
    await _save_all(tx, changed)
    saved = {one.id: one for one in changed}
    return [saved.get(one.id, one) for one in after]


async def _save_all(tx: Transaction, saved: Sequence[Event]) -> None:
    await queries.update_many(tx, [(event, search_text(event)) for event in saved])
    await _enqueue(tx, saved)


async def _enqueue(tx: Transaction, saved: Sequence[Event]) -> None:
    await notify_webhooks(tx, saved)
    await publications.enqueue_many(
        tx,
        kind=publications.PublicationKind.EVENT,
        subjects=[(event.id, event.author_id, event.revision) for event in saved],
    )


# Alias for the other dates of the series in the statement.
_DATE = "sd"


def is_first_of_series(table: str, fits: Callable[[str], str], *, by: Literal["over_at", "starts_at"]) -> str:
    """SQL condition: the event is no date of a series, or the first fitting one.

    ``fits``: the list's own condition, given a table alias, with a lower bound of ``by``, the column that orders dates.
    """
    first = f"select {_DATE}.id from events {_DATE} where {_DATE}.series_id = {table}.series_id and {fits(_DATE)}"
    order = f"order by {_DATE}.{by}, {_DATE}.id limit 1"
    takes_place = f"{_DATE}.status <> 'cancelled'"
    return (
        f"({table}.series_id is null or {table}.id = coalesce(({first} and {takes_place} {order}), ({first} {order})))"
    )


def has_date(table: str, fits: Callable[[str], str]) -> str:
    """SQL condition: the event is a date of a series with a fitting date."""
    return f"exists (select 1 from events {_DATE} where {_DATE}.series_id = {table}.series_id and {fits(_DATE)})"


# Of the same group, and no less open than the one shown: everyone who sees that one may know of these.
_MORE = f"""
    select e.id, count(*) as number
      from events e join events {_DATE} on {_DATE}.series_id = e.series_id
     where e.id in :event_ids and {_DATE}.id <> e.id and {_DATE}.over_at > :now and {_DATE}.status <> 'cancelled'
       and {is_listed(_DATE)}
       and ({_DATE}.visibility = 'public' or {_DATE}.visibility = e.visibility)
       and coalesce({_DATE}.group_id, '') = coalesce(e.group_id, '') and not {is_hidden(_DATE)}
     group by e.id order by e.id
"""


async def more_dates(reader: Reader, events: Sequence[Event]) -> Mapping[EventId, int]:
    """How many other stored upcoming dates of their series there are, as far as viewers of these may know."""
    dates = [event.id for event in events if event.place_in_series is not None]
    if not dates:
        return {}
    rows = await reader.fetch(_MORE, event_ids=dates, now=reader.now)
    return {EventId(row["id"]): row["number"] for row in rows}


# No event takes longer (``rules.LONGEST``): earlier starts are over, and the index need not be read from its beginning.
_UNDER_WAY: Final = 367 * DAY
# No more are stored ahead; dates of a century opened one by one are not waited for.
_MOST_APART: Final = 1000

_COMING = """series_id = :series_id and starts_at > :since and deleted_at is null and removed_at is null
         and (over_at is null or over_at > :now)"""
_NEXT = f"select id from events where {_COMING} and status <> 'cancelled' order by starts_at, id limit 1"

# By policy: which upcoming dates are to be published, and which published ones are not to be.
_WRONG: Final = {
    "next": (
        f"(is_published_by_policy = 0 and id in ({_NEXT}))"
        f" or (is_published_by_policy = 1 and record_uri is null and id not in ({_NEXT}))"
    ),
    "window": "is_published_by_policy = 0",
    "none": "is_published_by_policy = 1",
}


async def enqueue_by_policy(tx: Transaction, series_id: str) -> int:
    """Enqueue records so that exactly the upcoming dates chosen by the series' policy are published; returns how many
    changed.

    A series kept elsewhere, or not confirmed by anybody, has no policy here.
    """
    row = await tx.fetch_one(
        "select publication_policy from event_series where id = :id and is_read_only = 0", id=series_id
    )
    if row is None:
        return 0
    rows = await tx.fetch(
        f"select {COLUMNS} from events where {_COMING} and ({_WRONG[row['publication_policy']]}) order by starts_at, id",
        series_id=series_id,
        since=tx.now - _UNDER_WAY,
        now=tx.now,
    )
    await publish_by_policy(tx, [event_of(row) for row in rows])
    if Flag.NATIVE_RECURRENCE in await switches(tx):
        # The rule in the series' record leaves out dates that are cancelled, moved or have a record of their own.
        await recheck_published(tx, series_id)
    return len(rows)


async def recheck_published(tx: Transaction, series_id: str) -> None:
    """The rule or the page of a series has changed: enqueue its published dates, whose records mention it."""
    rows = await tx.fetch(
        f"select id from events where {_COMING} and (record_uri is not null or is_published_by_policy = 1)"
        " order by starts_at, id",
        series_id=series_id,
        since=tx.now - _UNDER_WAY,
        now=tx.now,
    )
    await publications.recheck(
        tx, kind=publications.PublicationKind.EVENT, subject_ids=[row["id"] for row in rows], is_edit=True
    )


async def next_date(reader: Reader, series_id: str) -> str | None:
    """The event of the next date that takes place: its record represents the series, by its policy."""
    row = await reader.fetch_one(_NEXT, series_id=series_id, since=reader.now - _UNDER_WAY, now=reader.now)
    return None if row is None else row["id"]


async def names_apart(reader: Reader, series_id: str, *, since: str) -> list[str]:
    """Names of stored later dates that the rule does not describe: cancelled, gone, moved, or with a record."""
    rows = await reader.fetch(
        f"select {COLUMNS} from events where series_id = :series_id and original_date > :since"
        " order by original_date limit :limit",
        series_id=series_id,
        since=since,
        limit=_MOST_APART,
    )
    places = [(one, one.place_in_series) for one in map(event_of, rows)]
    return [
        place.original_date
        for one, place in places
        if place is not None
        and (
            one.is_cancelled
            or one.is_gone
            or one.is_published_by_policy
            or one.record_uri
            or STARTS in place.overridden
        )
    ]


async def enqueue_around(tx: Transaction, slug: str) -> None:
    """``enqueue_by_policy`` for the series of a date, if it is one: only that date was changed."""
    row = await tx.fetch_one("select series_id from events where slug = :slug", slug=slug)
    if row is not None and row["series_id"] is not None:
        await enqueue_by_policy(tx, row["series_id"])
