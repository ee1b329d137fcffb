"""What a host does to an event, with its consequences for those who answered: they are told, and people move up."""

from groundwork.database.transaction import Transaction
from openmeet.attendance.actions import decide_records_anew, event_changed
from openmeet.events import actions as events
from openmeet.events import owing
from openmeet.events.model import Details, Event, EventSlug
from openmeet.events.queries import by_id, lock_by_slug, lock_series_of
from openmeet.notifications import actions as notifications
from openmeet.notifications.model import Kind
from openmeet.users.model import Caller


async def revise(
    tx: Transaction, caller: Caller, slug: EventSlug, details: Details, *, expected_revision: int | None = None
) -> Event:
    """``events.actions.revise``; attendees hear of it, a raised limit lets people move up."""
    before = await _lock(tx, slug)
    event = await events.revise(tx, caller, slug, details, expected_revision=expected_revision)
    if before is not None and before.visibility is not event.visibility:
        await decide_records_anew(tx, event.id)
    return await _tell(tx, before, event, Kind.EVENT_CHANGED)


async def cancel(
    tx: Transaction, caller: Caller, slug: EventSlug, reason: str, *, expected_revision: int | None = None
) -> Event:
    """``events.actions.cancel``; attendees hear of it."""
    before = await _lock(tx, slug)
    event = await events.cancel(tx, caller, slug, reason, expected_revision=expected_revision)
    return await _tell(tx, before, event, Kind.EVENT_CANCELLED)


async def reinstate(tx: Transaction, caller: Caller, slug: EventSlug, *, expected_revision: int | None = None) -> Event:
    """``events.actions.reinstate``; the same people hear of it."""
    before = await _lock(tx, slug)
    event = await events.reinstate(tx, caller, slug, expected_revision=expected_revision)
    return await _tell(tx, before, event, Kind.EVENT_REINSTATED)


async def delete(tx: Transaction, caller: Caller, slug: EventSlug, *, expected_revision: int | None = None) -> Event:
    """``events.actions.delete``; attendees hear of it, and records of their answers are taken back."""
    before = await _lock(tx, slug)
    event = await events.delete(tx, caller, slug, expected_revision=expected_revision)
    await decide_records_anew(tx, event.id)
    return await _tell(tx, before, event, Kind.EVENT_DELETED)


async def _lock(tx: Transaction, slug: EventSlug) -> Event | None:
    """The event, locked; of a date of a series that first, because another date may have to be published now."""
    await lock_series_of(tx, slug)
    return await lock_by_slug(tx, slug)


async def _tell(tx: Transaction, before: Event | None, event: Event, kind: Kind) -> Event:
    if before is None or before.revision != event.revision:
        await event_changed(tx, event, kind, before=before)
        if event.awaits_author:
            # Somebody else did it: its author hears of it, and decides about the record.
            await notifications.tell(tx, [event.author_id], kind, event.id, event.revision, starts_at=event.starts_at)
        await owing.owe_around(tx, event.slug)
        # Where that was about this very date, its revision has grown once more.
        return await by_id(tx, event.id) or event
    return event
