"""Bulk changes to the stored dates of a series, and to which of them are published. Callers have locked the series and
its dates and checked the permission.

``by`` is the person who makes the change. Dates of other authors then await the approval of their authors, as after an
edit of a single event (``publication``). With None, for the scheduler, the network or the creation of the series, that
state does not change.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from groundwork.clock import DAY
from groundwork.database.transaction import Reader, Transaction
from openmeet.domain.events import ownership, queries
from openmeet.domain.events.edits import STARTS, blank_event, details_in, search_text, with_details
from openmeet.domain.events.model import (
    DEFAULT_RECORD_SETTINGS,
    Details,
    Event,
    EventId,
    EventStatus,
    GroupOfEvent,
    PositionInSeries,
    RecordSettings,
)
from openmeet.domain.events.publication import notify_webhooks, settle_merges, waiting_for_authors
from openmeet.domain.events.queries import COLUMNS, event_of
from openmeet.domain.events.unsolicited_lists import hold_first_events
from openmeet.domain.events.visibility import is_hidden, is_listed, is_not_over
from openmeet.domain.users.model import UserId
from openmeet.feature_flags.flags import Flag, switches
from openmeet.outbox import publications
from openmeet.outbox.publications import SubjectRevision


@dataclass(frozen=True, slots=True)
class NewDates:
    """Dates of one series that are not stored yet, and what all of them have in common."""

    author_id: UserId
    dates: Sequence[tuple[Details, PositionInSeries]]
    is_published_by_policy: bool
    group: GroupOfEvent | None = None
    record_settings: RecordSettings = DEFAULT_RECORD_SETTINGS
    needs_author_approval: bool = False


async def create_dates(tx: Transaction, several: Sequence[NewDates]) -> list[list[Event]]:
    """Store dates of locked series as events. Returns the events of each series."""
    made_of_each = [[_new_date(tx, new, *date) for date in new.dates] for new in several]
    made = [event for events in made_of_each for event in events]
    await queries.insert_each(tx, [(event, search_text(event)) for event in made])
    await hold_first_events(tx, [events[0] for events in made_of_each if events])
    await notify_webhooks(tx, made)
    await publications.enqueue_many(
        tx,
        kind=publications.PublicationKind.EVENT,
        subjects=[
            SubjectRevision(event.id, event.author_id, event.revision) for event in made if event.is_published_by_policy
        ],
    )
    return made_of_each


def _new_date(tx: Transaction, new: NewDates, details: Details, position: PositionInSeries) -> Event:
    return with_details(
        replace(
            blank_event(tx.now, _slug_text(details, position), new.author_id),
            content=details.content,
            record_settings=new.record_settings,
            position_in_series=position,
            is_published_by_policy=new.is_published_by_policy,
            group=new.group,
            needs_author_approval=new.needs_author_approval,
        ),
        details,
    )


async def revise_dates(
    tx: Transaction, revisions: Sequence[tuple[Event, Details, tuple[str, ...]]], *, by: UserId | None
) -> list[Event]:
    """Set content and overridden fields of locked dates. Unchanged ones get no new revision.

    Returns the changed events, in their order.
    """
    revised = []
    for event, details, overridden in revisions:
        assert event.position_in_series is not None  # noqa: S101  # a date of a series
        after = replace(
            with_details(event, details), position_in_series=replace(event.position_in_series, overridden=overridden)
        )
        revised.append(after if after == event else _next(tx, after))
    return await _save_changed(tx, [event for event, _, _ in revisions], revised, by)


async def restore_dates(
    tx: Transaction, restorations: Sequence[tuple[Event, Event, EventStatus]], *, by: UserId | None
) -> list[Event]:
    """Restore the earlier content of locked dates. ``restorations`` has triples: the date as it is, as it was, and its
    status before the cancellation.

    The caller sets their positions in the series. Returns the changed events, in their order.
    """
    events = [
        replace(
            with_details(now, details_in(before)),
            status=before.status,
            status_reason=before.status_reason,
            position_in_series=before.position_in_series,
            # The series decides whether its dates are published. A single event has its own setting.
            is_published_by_policy=now.is_published_by_policy or before.position_in_series is None,
            deleted_at=before.deleted_at,
            revision=now.revision + 1,
            updated_at=tx.now,
        )
        for now, before, _ in restorations
    ]
    # The earlier status matters only for events that were or are cancelled.
    off = [(now.id, status) for now, before, status in restorations if now.is_cancelled or before.is_cancelled]
    await queries.set_statuses_before(tx, off)
    return await _save_changed(tx, [now for now, _, _ in restorations], events, by)


async def cancel_each(tx: Transaction, dates: Sequence[Event], reason: str, *, by: UserId | None) -> list[Event]:
    """``cancel`` for locked dates of a series that the caller may change. Returns the changed events, in their order."""
    await queries.set_statuses_before(tx, [(one.id, one.status) for one in dates if not one.is_cancelled])
    events = [
        one
        if one.is_cancelled and reason in {"", one.status_reason}
        else _next(tx, replace(one, status=EventStatus.CANCELLED, status_reason=reason))
        for one in dates
    ]
    return await _save_changed(tx, dates, events, by)


async def set_date_status(tx: Transaction, date: Event, status: EventStatus) -> Event:
    """Set the status of a locked, re-imported date that is not cancelled (planned or postponed). Return the changed
    event.
    """
    (saved,) = await _save_changed(tx, [date], [_next(tx, replace(date, status=status))], None)
    return saved


async def reinstate_each(tx: Transaction, dates: Sequence[Event], *, by: UserId | None) -> list[Event]:
    """``reinstate`` for locked dates of a series that the caller may change. Returns the changed events, in their
    order.
    """
    statuses = await queries.statuses_before(tx, [one.id for one in dates if one.is_cancelled])
    events = [
        _next(tx, replace(one, status=statuses[one.id], status_reason="")) if one.is_cancelled else one for one in dates
    ]
    return await _save_changed(tx, dates, events, by)


async def delete_each(tx: Transaction, dates: Sequence[Event]) -> list[Event]:
    """``delete_locked`` for locked dates of a series. Returns the changed events, in their order."""
    gone = [_next(tx, replace(one, deleted_at=tx.now)) for one in dates]
    await queries.update_many(tx, [(one, "") for one in gone])
    await notify_webhooks(tx, gone)
    await publications.enqueue_retractions(
        tx,
        kind=publications.PublicationKind.EVENT,
        subjects=[SubjectRevision(one.id, one.author_id, one.revision) for one in gone],
        record_uris=await ownership.record_uris_of(tx, gone),
    )
    return gone


async def leave_series(tx: Transaction, dates: Sequence[Event], *, by: UserId | None) -> None:
    """Detach locked dates from the series. They continue as single events."""
    left = [_next(tx, replace(one, position_in_series=None, is_published_by_policy=True)) for one in dates]
    await _save_changed(tx, dates, left, by)


async def approve_dates(tx: Transaction, series_id: str, author_id: UserId) -> list[Event]:
    """Approve, as the author, other people's changes to one's dates of a locked series. Returns those dates."""
    waiting = [
        one
        for one in await queries.lock_dates(tx, series_id)
        if one.needs_author_approval and one.author_id == author_id and not one.is_gone
    ]
    agreed = [_next(tx, replace(one, needs_author_approval=False)) for one in waiting]
    await _save_all(tx, agreed)
    return agreed


async def set_record_settings(tx: Transaction, dates: Sequence[Event], record_settings: RecordSettings) -> list[Event]:
    """Change the record settings of these locked dates. Returns the changed ones."""
    changed = [
        _next(tx, replace(one, record_settings=record_settings))
        for one in dates
        if one.record_settings != record_settings
    ]
    await _save_all(tx, changed)
    return changed


async def toggle_policy_publication(tx: Transaction, dates: Sequence[Event]) -> None:
    """Toggle, for each of these dates, whether the series' policy publishes it."""
    turned = [_next(tx, replace(one, is_published_by_policy=not one.is_published_by_policy)) for one in dates]
    await queries.save_policy(tx, turned)
    await _enqueue(tx, turned)


def _slug_text(details: Details, position: PositionInSeries) -> str:
    """Text for a date's slug. It includes the day, because all dates of a series have the same title, and slugs are
    unique.
    """
    return f"{details.content.title[:30]} {position.original_date[:10]}"


def _next(tx: Transaction, after: Event) -> Event:
    """The date as its next revision."""
    return replace(after, revision=after.revision + 1, updated_at=tx.now)


async def _save_changed(
    tx: Transaction, before: Sequence[Event], after: Sequence[Event], by: UserId | None
) -> list[Event]:
    """Save the dates that have a new revision, made by ``by``. Return all dates."""
    changed = [then for now, then in zip(before, after, strict=True) if then.revision != now.revision]
    if by is not None:
        waiting = await waiting_for_authors(tx, changed, by)
        changed = [replace(one, needs_author_approval=one.id in waiting) for one in changed]
    await settle_merges(tx, before, after)
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
        subjects=[SubjectRevision(event.id, event.author_id, event.revision) for event in saved],
    )


# Alias for the other dates of the series in the statement.
_DATE = "sd"


def is_first_of_series(table: str, fits: Callable[[str], str], *, by: Literal["over_at", "starts_at"]) -> str:
    """SQL condition: the event is not a date of a series, or it is the first date that matches.

    ``fits`` is the list's own condition for a table alias. It must include a lower bound of ``by``, the column that
    orders dates.
    """
    first = f"select {_DATE}.id from events {_DATE} where {_DATE}.series_id = {table}.series_id and {fits(_DATE)}"
    order = f"order by {_DATE}.{by}, {_DATE}.id limit 1"
    takes_place = f"{_DATE}.status <> 'cancelled'"
    return (
        f"({table}.series_id is null or {table}.id = coalesce(({first} and {takes_place} {order}), ({first} {order})))"
    )


def has_date(table: str, fits: Callable[[str], str]) -> str:
    """SQL condition: the event is a date of a series, and some date of that series matches."""
    return f"exists (select 1 from events {_DATE} where {_DATE}.series_id = {table}.series_id and {fits(_DATE)})"


# Dates in the same group that are at least as visible as the shown date, so that everyone who sees the shown date may
# know of them.
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
    """For each event, how many other stored upcoming dates of its series may be revealed to its viewers."""
    dates = [event.id for event in events if event.position_in_series is not None]
    if not dates:
        return {}
    rows = await reader.fetch(_MORE, event_ids=dates, now=reader.now)
    return {EventId(row["id"]): row["number"] for row in rows}


# No event lasts longer (``rules.LONGEST``), so earlier ones are over, and the index does not have to be read from its
# beginning.
_UNDER_WAY: Final = 367 * DAY
# More dates are not stored in advance. Dates that people opened one by one over a century are not included.
_MAX_EXCEPTIONS: Final = 1000

_COMING = f"""starts_at > :since and deleted_at is null and removed_at is null and {is_not_over("events")}"""


def _next_of(series_id: str) -> str:
    """SQL for the id of the next date that takes place."""
    return f"""select id from events where series_id = {series_id} and {_COMING} and status <> 'cancelled'
         order by starts_at, id limit 1"""


# Upcoming dates that the policy of their series publishes but that are not published, and the reverse. The ``case`` is
# the value that is wrong.
_WRONG: Final = f"""
    with policies as materialized (
        select s.id, s.publication_policy as policy, ({_next_of("s.id")}) as next_id
          from event_series s where s.id in :series_ids and s.is_read_only = 0
    )
    select events.id from policies join events on events.series_id = policies.id
     where {_COMING} and is_published_by_policy = case
               when policy = 'none' then 1
               when policy = 'window' or events.id = next_id then 0
               when record_uri is null then 1 end
     order by starts_at, events.id
"""


async def enqueue_by_policy(tx: Transaction, series_ids: Sequence[str]) -> int:
    """Enqueue records so that exactly the upcoming dates selected by the policy of each series are published. Return how
    many changed.

    A series that is read-only, because it is maintained in another app or no one has confirmed it, has no policy on
    this site.
    """
    rows = await tx.fetch(_WRONG, series_ids=series_ids, since=tx.now - _UNDER_WAY, now=tx.now)
    wrong = [EventId(row["id"]) for row in rows]
    await queries.lock_several(tx, wrong)
    await toggle_policy_publication(tx, await queries.several(tx, wrong))
    if Flag.NATIVE_RECURRENCE in await switches(tx):
        # The rule in a series' record excludes dates that are cancelled, moved or have their own record.
        own = await tx.fetch("select id from event_series where id in :ids and is_read_only = 0", ids=series_ids)
        await make_published_dates_due(tx, [row["id"] for row in own])
    return len(wrong)


async def make_published_dates_due(tx: Transaction, series_ids: Sequence[str]) -> None:
    """Enqueue the published dates of series whose rule or page has changed, because their records mention it."""
    rows = await tx.fetch(
        f"select id from events where series_id in :series_ids and {_COMING}"
        " and (record_uri is not null or is_published_by_policy = 1) order by starts_at, id",
        series_ids=series_ids,
        since=tx.now - _UNDER_WAY,
        now=tx.now,
    )
    await publications.make_due(
        tx, kind=publications.PublicationKind.EVENT, subject_ids=[row["id"] for row in rows], resets_write_count=True
    )


async def next_date_id(reader: Reader, series_id: str) -> EventId | None:
    """Id of the next date that takes place. With some policies, its record represents the series."""
    row = await reader.fetch_one(
        _next_of(":series_id"), series_id=series_id, since=reader.now - _UNDER_WAY, now=reader.now
    )
    return None if row is None else EventId(row["id"])


async def exception_dates(reader: Reader, series_id: str, *, since: str) -> list[str]:
    """Original dates of stored later dates that the rule does not describe: cancelled, gone, moved, or with their own
    record.
    """
    rows = await reader.fetch(
        f"select {COLUMNS} from events where series_id = :series_id and original_date > :since"
        " order by original_date limit :limit",
        series_id=series_id,
        since=since,
        limit=_MAX_EXCEPTIONS,
    )
    positions = [(one, one.position_in_series) for one in map(event_of, rows)]
    return [
        position.original_date
        for one, position in positions
        if position is not None
        and (
            one.is_cancelled
            or one.is_gone
            or one.is_published_by_policy
            or one.record_uri
            or STARTS in position.overridden
        )
    ]


async def enqueue_series_of(tx: Transaction, slug: str) -> None:
    """Call ``enqueue_by_policy`` for the series of an event, if it is a date of one. Used when only that date was
    changed.
    """
    row = await tx.fetch_one("select series_id from events where slug = :slug", slug=slug)
    if row is not None and row["series_id"] is not None:
        await enqueue_by_policy(tx, [row["series_id"]])
