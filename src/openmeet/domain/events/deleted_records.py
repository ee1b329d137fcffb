"""Records of events created on this site that another app deleted. The event stays, and its host decides what happens
next.

Until then nothing is written and no attendee is notified. The host can publish the event again under its URI, keep it
only on this site, or cancel it, which also keeps it only on this site.
"""

from dataclasses import replace
from enum import StrEnum

from groundwork.database.transaction import Transaction
from groundwork.errors import Refused
from openmeet.domain.events import actions, queries
from openmeet.domain.events.edits import search_text
from openmeet.domain.events.model import Event, EventSlug, RecordOrigin
from openmeet.domain.events.permissions import EventPermission
from openmeet.domain.events.reasons import EventReason
from openmeet.domain.users.model import Caller
from openmeet.outbox import publication_withdrawals, publications


class DeletedRecordChoice(StrEnum):
    """The host's choice."""

    PUBLISH = "publish"
    KEEP = "keep"


def is_asked_about(event: Event) -> bool:
    """Whether the host still has to decide about a deleted record. For an event from the network, the deletion is
    final.
    """
    return event.origin is RecordOrigin.HERE and not event.is_gone


async def note(tx: Transaction, event: Event) -> bool:
    """Record that another app deleted the record of this locked event. Return False if that was already known."""
    return await queries.set_record_deleted(tx, event.id)


async def decide(tx: Transaction, caller: Caller, slug: EventSlug, decision: DeletedRecordChoice) -> Event:
    """Apply the host's choice. Raises NotFound, Forbidden, and Refused (``NothingToDecide``) if no record was deleted."""
    event = await actions.lock_for_host(tx, caller, slug, None, EventPermission.PUBLISH_RECORD)
    if event.record_deleted_at is None:
        raise Refused(EventReason.RECORD_NOT_DELETED, name="NothingToDecide")
    if decision is DeletedRecordChoice.KEEP:
        return await keep_here(tx, event)
    after = await _save_decision(tx, event)
    await publications.enqueue(
        tx,
        kind=publications.PublicationKind.EVENT,
        subject_id=after.id,
        user_id=after.author_id,
        revision=after.revision,
    )
    await publications.retry_now(tx, kind=publications.PublicationKind.EVENT, subject_id=after.id)
    return after


async def keep_here(tx: Transaction, event: Event) -> Event:
    """Keep a locked event unpublished until its host publishes it again."""
    after = await _save_decision(tx, event)
    await publications.enqueue(
        tx,
        kind=publications.PublicationKind.EVENT,
        subject_id=after.id,
        user_id=after.author_id,
        revision=after.revision,
    )
    await publication_withdrawals.withdraw(tx, kind=publications.PublicationKind.EVENT, subject_id=after.id)
    return after


async def _save_decision(tx: Transaction, event: Event) -> Event:
    """Detach the deleted record and mark the question as answered. Return the locked event."""
    await actions.forget_record(tx, event.id)
    locked = await queries.lock_for_update(tx, event.id) or event
    after = replace(locked, record_deleted_at=None, revision=locked.revision + 1, updated_at=tx.now)
    await queries.update(tx, after, search_text=search_text(after))
    return after
