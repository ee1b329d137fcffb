"""What is done to dates of a series, many at once. The caller has locked the series and its dates, and may change them.

``by``: who does it. What is another's date waits for its author, as an edit of a single event does (``lending``); None: what only
the clock, the network or the making of the series does leaves that as it is.
"""

from collections.abc import Sequence
from dataclasses import replace

from groundwork.database.transaction import Transaction
from openmeet.domain.events import owner_queries, ownership, queries
from openmeet.domain.events.changes import tell_listeners
from openmeet.domain.events.differing import details_in
from openmeet.domain.events.edits import blank_event, search_text, with_details
from openmeet.domain.events.first_looks import look_first
from openmeet.domain.events.lending import waiting_for_authors
from openmeet.domain.events.model import (
    USUAL_RECORD,
    Details,
    Event,
    GroupOfEvent,
    PlaceInSeries,
    RecordSettings,
    Status,
)
from openmeet.domain.users.model import UserId
from openmeet.outbox import publications


async def create_dates(
    tx: Transaction,
    author_id: UserId,
    dates: Sequence[tuple[Details, PlaceInSeries]],
    *,
    owes_record: bool,
    group: GroupOfEvent | None = None,
    record: RecordSettings = USUAL_RECORD,
    awaits_author: bool = False,
) -> list[Event]:
    """Store dates of a locked series as events; the caller knows that they are not stored."""
    made = [
        with_details(
            replace(
                blank_event(tx.now, _address_words(details, place), author_id),
                own_visibility=details.visibility,
                record=record,
                place_in_series=place,
                owes_record=owes_record,
                group=group,
                awaits_author=awaits_author,
            ),
            details,
        )
        for details, place in dates
    ]
    await queries.insert_each(tx, [(event, search_text(event)) for event in made])
    for first in made[:1]:
        await look_first(tx, first)
    await tell_listeners(tx, made)
    if owes_record:
        await publications.owe_many(
            tx,
            kind=publications.Kind.EVENT,
            owed=[(event.id, event.author_id, event.revision) for event in made],
        )
    return made


async def revise_dates(
    tx: Transaction, wanted: Sequence[tuple[Event, Details, tuple[str, ...]]], *, by: UserId | None
) -> list[Event]:
    """Make locked dates of a series say this, and differ on purpose in these fields; unchanged ones make no revision.

    The events as they are then, in their order.
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
    tx: Transaction, wanted: Sequence[tuple[Event, Event, Status]], *, by: UserId | None
) -> list[Event]:
    """Make locked dates of series say again what they said: (as it is, as it was, what a cancelled one would go back to).

    Their places are given by whoever knows the series; as they are then, in their order.
    """
    found = [
        replace(
            with_details(now, details_in(before)),
            status=before.status,
            status_reason=before.status_reason,
            place_in_series=before.place_in_series,
            # Of dates the series decides, an event by itself has a record of its own.
            owes_record=now.owes_record or before.place_in_series is None,
            deleted_at=before.deleted_at,
            revision=now.revision + 1,
            updated_at=tx.now,
        )
        for now, before, _ in wanted
    ]
    # Of one that neither was nor is called off nobody asks what it goes back to.
    off = [(now.id, status) for now, before, status in wanted if now.is_cancelled or before.is_cancelled]
    await queries.set_statuses_before(tx, off)
    return await _save_changed(tx, [now for now, _, _ in wanted], found, by)


async def call_dates_off(tx: Transaction, dates: Sequence[Event], reason: str, *, by: UserId | None) -> list[Event]:
    """``cancel`` for locked dates of a series that the caller may change; as they are then, in their order."""
    await queries.set_statuses_before(tx, [(one.id, one.status) for one in dates if not one.is_cancelled])
    found = [
        one
        if one.is_cancelled and reason in {"", one.status_reason}
        else _next(tx, replace(one, status=Status.CANCELLED, status_reason=reason))
        for one in dates
    ]
    return await _save_changed(tx, dates, found, by)


async def let_date_stand(tx: Transaction, date: Event, status: Status) -> Event:
    """How a locked date of a series stands, where that came back from elsewhere: planned, put off. As it is then."""
    (saved,) = await _save_changed(tx, [date], [_next(tx, replace(date, status=status))], None)
    return saved


async def bring_dates_back(tx: Transaction, dates: Sequence[Event], *, by: UserId | None) -> list[Event]:
    """``reinstate`` for locked dates of a series that the caller may change; as they are then, in their order."""
    statuses = await queries.statuses_before(tx, [one.id for one in dates if one.is_cancelled])
    found = [
        _next(tx, replace(one, status=statuses[one.id], status_reason="")) if one.is_cancelled else one for one in dates
    ]
    return await _save_changed(tx, dates, found, by)


async def take_dates_away(tx: Transaction, dates: Sequence[Event]) -> list[Event]:
    """``take_away`` for locked dates of a series; as they are then, in their order."""
    gone = [_next(tx, replace(one, deleted_at=tx.now)) for one in dates]
    await queries.update_many(tx, [(one, "") for one in gone])
    await tell_listeners(tx, gone)
    await publications.owe_retractions(
        tx,
        kind=publications.Kind.EVENT,
        owed=[(one.id, one.author_id, one.revision) for one in gone],
        records=await ownership.records_of(tx, gone),
    )
    return gone


async def leave_series(tx: Transaction, dates: Sequence[Event], *, by: UserId | None) -> None:
    """Locked dates stay, as events of their own."""
    left = [_next(tx, replace(one, place_in_series=None, owes_record=True)) for one in dates]
    await _save_changed(tx, dates, left, by)


async def let_wait(tx: Transaction, series_id: str, by: UserId) -> None:
    """Every coming date of a locked series that is another's waits for its author: what its record says of the series is changed."""
    await owner_queries.let_dates_wait(tx, series_id, by)


async def agree_to_dates(tx: Transaction, series_id: str, author_id: UserId) -> list[Event]:
    """The author has whatever others changed at their dates of a locked series published; those dates."""
    waiting = [
        one
        for one in await queries.lock_dates(tx, series_id)
        if one.awaits_author and one.author_id == author_id and not one.is_gone
    ]
    agreed = [_next(tx, replace(one, awaits_author=False)) for one in waiting]
    await _save_all(tx, agreed)
    return agreed


async def set_records(tx: Transaction, dates: Sequence[Event], record: RecordSettings) -> list[Event]:
    """Decide this about the records of these locked dates; those that changed."""
    changed = [_next(tx, replace(one, record=record)) for one in dates if one.record != record]
    await _save_all(tx, changed)
    return changed


async def let_owe_records(tx: Transaction, dates: Sequence[Event]) -> None:
    """Turn round whether these dates of a series are published."""
    turned = [_next(tx, replace(one, owes_record=not one.owes_record)) for one in dates]
    await queries.save_owing(tx, turned)
    await _owe(tx, turned)


def _address_words(details: Details, place: PlaceInSeries) -> str:
    """Words for a date's address: with its day, because all dates of a series have one title, and addresses are unique."""
    return f"{details.title[:30]} {place.original_date[:10]}"


def _next(tx: Transaction, after: Event) -> Event:
    """The date as its next revision."""
    return replace(after, revision=after.revision + 1, updated_at=tx.now)


async def _save_changed(
    tx: Transaction, before: Sequence[Event], after: Sequence[Event], by: UserId | None
) -> list[Event]:
    """Save those of these dates that have a new revision, with the mark of who changed them; all as they are then."""
    changed = [then for now, then in zip(before, after, strict=True) if then.revision != now.revision]
    if by is not None:
        waiting = await waiting_for_authors(tx, changed, by)
        changed = [replace(one, awaits_author=one.id in waiting) for one in changed]
    await _save_all(tx, changed)
    saved = {one.id: one for one in changed}
    return [saved.get(one.id, one) for one in after]


async def _save_all(tx: Transaction, saved: Sequence[Event]) -> None:
    await queries.update_many(tx, [(event, search_text(event)) for event in saved])
    await _owe(tx, saved)


async def _owe(tx: Transaction, saved: Sequence[Event]) -> None:
    await tell_listeners(tx, saved)
    await publications.owe_many(
        tx, kind=publications.Kind.EVENT, owed=[(event.id, event.author_id, event.revision) for event in saved]
    )
