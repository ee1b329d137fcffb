"""What is done to dates of a series, many at once. The caller has locked the series and its dates, and may change them."""

from collections.abc import Sequence
from dataclasses import replace

from groundwork.database.transaction import Transaction
from openmeet.debts import publications
from openmeet.events import queries
from openmeet.events.differing import details_in
from openmeet.events.listeners import tell_listeners
from openmeet.events.model import Details, Event, GroupOfEvent, PlaceInSeries, Status
from openmeet.events.saying import blank_event, search_text, with_details
from openmeet.users.model import UserId


async def create_dates(
    tx: Transaction,
    author_id: UserId,
    dates: Sequence[tuple[Details, PlaceInSeries]],
    *,
    owes_record: bool,
    group: GroupOfEvent | None = None,
) -> list[Event]:
    """Store dates of a locked series as events; the caller knows that they are not stored."""
    made = [
        with_details(
            replace(
                blank_event(tx.now, _address_words(details, place), author_id),
                own_visibility=details.visibility,
                place_in_series=place,
                owes_record=owes_record,
                group=group,
            ),
            details,
        )
        for details, place in dates
    ]
    await queries.insert_dates(tx, [(event, search_text(event)) for event in made])
    await tell_listeners(tx, made)
    if owes_record:
        await publications.owe_many(
            tx,
            kind=publications.Kind.EVENT,
            owed=[(event.id, event.author_id, event.revision) for event in made],
        )
    return made


async def revise_dates(tx: Transaction, wanted: Sequence[tuple[Event, Details, tuple[str, ...]]]) -> list[Event]:
    """Make locked dates of a series say this, and differ on purpose in these fields; unchanged ones make no revision.

    The events as they are then, in their order.
    """
    found, changed = [], []
    for event, details, overridden in wanted:
        assert event.place_in_series is not None  # noqa: S101  # a date of a series
        after = replace(
            with_details(event, details), place_in_series=replace(event.place_in_series, overridden=overridden)
        )
        if after != event:
            after = replace(after, revision=after.revision + 1, updated_at=tx.now)
            changed.append(after)
        found.append(after)
    await _save_all(tx, changed)
    return found


async def restore_dates(tx: Transaction, wanted: Sequence[tuple[Event, Event, Status]]) -> list[Event]:
    """Make locked dates of series say again what they said: (as it is, as it was, what a cancelled one would go back to).

    Their places are given by whoever knows the series; as they are then, in their order.
    """
    found = [
        replace(
            with_details(now, details_in(before)),
            status=before.status,
            status_reason=before.status_reason,
            place_in_series=before.place_in_series,
            deleted_at=before.deleted_at,
            revision=now.revision + 1,
            updated_at=tx.now,
        )
        for now, before, _ in wanted
    ]
    await queries.set_statuses_before(tx, [(now.id, status) for now, _, status in wanted])
    await _save_all(tx, found)
    return found


async def call_dates_off(tx: Transaction, dates: Sequence[Event], reason: str) -> list[Event]:
    """``cancel`` for locked dates of a series that the caller may change; as they are then, in their order."""
    await queries.set_statuses_before(tx, [(one.id, one.status) for one in dates if not one.is_cancelled])
    found = [
        one
        if one.is_cancelled and one.status_reason == reason
        else replace(one, status=Status.CANCELLED, status_reason=reason, revision=one.revision + 1, updated_at=tx.now)
        for one in dates
    ]
    await _save_all(tx, [after for before, after in zip(dates, found, strict=True) if after is not before])
    return found


async def bring_dates_back(tx: Transaction, dates: Sequence[Event]) -> list[Event]:
    """``reinstate`` for locked dates of a series that the caller may change; as they are then, in their order."""
    statuses = await queries.statuses_before(tx, [one.id for one in dates if one.is_cancelled])
    found = [
        replace(one, status=statuses[one.id], status_reason="", revision=one.revision + 1, updated_at=tx.now)
        if one.is_cancelled
        else one
        for one in dates
    ]
    await _save_all(tx, [after for before, after in zip(dates, found, strict=True) if after is not before])
    return found


async def leave_series(tx: Transaction, event: Event) -> None:
    """A locked date stays, as an event of its own."""
    after = replace(event, place_in_series=None, owes_record=True, revision=event.revision + 1, updated_at=tx.now)
    await _save_all(tx, [after])


async def hand_over_dates(tx: Transaction, dates: Sequence[Event], to: UserId) -> None:
    """These locked dates of a series are another host's, but for those whose record is, or may be, in the old one's repository."""
    for event in await queries.without_record(tx, dates):
        handed = replace(event, author_id=to, revision=event.revision + 1, updated_at=tx.now)
        await queries.set_author(tx, event.id, to)
        await _save_all(tx, [handed])


async def let_owe_records(tx: Transaction, dates: Sequence[Event]) -> None:
    """Turn round whether these dates of a series are published."""
    await _save_all(
        tx,
        [replace(one, owes_record=not one.owes_record, revision=one.revision + 1, updated_at=tx.now) for one in dates],
    )


def _address_words(details: Details, place: PlaceInSeries) -> str:
    """Words for a date's address: with its day, because all dates of a series have one title, and addresses are unique."""
    return f"{details.title[:30]} {place.original_date[:10]}"


async def _save_all(tx: Transaction, saved: Sequence[Event]) -> None:
    await queries.update_many(tx, [(event, search_text(event)) for event in saved])
    await tell_listeners(tx, saved)
    await publications.owe_many(
        tx, kind=publications.Kind.EVENT, owed=[(event.id, event.author_id, event.revision) for event in saved]
    )
