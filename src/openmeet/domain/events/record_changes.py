"""Changes of events that come from their records. Records from the network enqueue nothing.

If another app deletes the record of an event created on this site, the event stays and its host decides what happens
next. Until then nothing is written and no attendee is notified. The host can publish the event again under its URI,
keep it only on this site, or cancel it, which also keeps it only on this site.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from groundwork.database.row_lock import lock_rows
from groundwork.database.transaction import Transaction
from groundwork.errors import Refused
from openmeet.domain.events import event_records, queries
from openmeet.domain.events.actions import lock_for_host
from openmeet.domain.events.edits import blank_event, event_of_record, search_text, with_record
from openmeet.domain.events.model import Event, EventId, EventSlug, NetworkEvent, RecordOrigin
from openmeet.domain.events.permissions import EventPermission
from openmeet.domain.events.publication import enqueue_group_event, enqueue_record, notify_webhooks
from openmeet.domain.events.reasons import EventReason
from openmeet.domain.events.values import Visibility
from openmeet.domain.groups.model import GroupId
from openmeet.domain.users.model import Caller, UserId
from openmeet.outbox import bulk_changes, publication_withdrawals, publications, superseded_records
from openmeet.outbox.bulk_changes import BulkChange


class DeletedRecordChoice(StrEnum):
    """What the host chooses for an event whose record another app deleted."""

    PUBLISH = "publish"
    KEEP = "keep"


@dataclass(frozen=True, slots=True)
class RecordRead:
    """Content of a record. ``author_id`` is used if the event is not known yet."""

    uri: str
    cid: str
    author_id: UserId
    event: NetworkEvent


async def apply_from_network(tx: Transaction, *, uri: str, cid: str, author_id: UserId, event: NetworkEvent) -> EventId:
    """Apply a record to the event with this URI. Nothing is enqueued.

    Only fields that the record contains change. The host's choices on this site are kept: visibility of a known event,
    capacity, who can see the join link. A change makes a new revision, so that forms and clients that show the earlier
    content cannot overwrite it.
    """
    await lock_rows(tx, "events", "record_uri", [uri])
    known_events = await event_records.events_with(tx, [uri])
    ((_, after),) = await apply_each_from_network(tx, [RecordRead(uri, cid, author_id, event)], known_events)
    return after.id


async def apply_each_from_network(
    tx: Transaction, records: Sequence[RecordRead], known_events: Mapping[str, Event]
) -> list[tuple[Event | None, Event]]:
    """Apply several records of different events, like ``apply_from_network``. Return each event before (None if it is
    new) and after.
    """
    changed: list[tuple[Event | None, Event]] = []
    for one in records:
        before = known_events.get(one.uri)
        if before is None:
            new = event_of_record(blank_event(tx.now, one.event.name, one.author_id), one.uri, one.event)
            changed.append((None, with_record(new, one.cid, one.event, tx.now)))
        else:
            changed.append((before, _next_revision(before, with_record(before, one.cid, one.event, tx.now))))
    await queries.insert_each(tx, [(after, search_text(after)) for before, after in changed if before is None])
    cancelled = [
        (before.id, before.status)
        for before, after in changed
        if before is not None and after.is_cancelled and not before.is_cancelled
    ]
    await queries.set_statuses_before(tx, cancelled)
    await queries.update_many(tx, [(after, search_text(after)) for before, after in changed if before is not None])
    return changed


def _next_revision(before: Event, after: Event) -> Event:
    is_same = replace(after, record_cid=before.record_cid, updated_at=before.updated_at) == before
    return after if is_same else replace(after, revision=before.revision + 1)


async def apply_deletion(tx: Transaction, *, uri: str) -> EventId | None:
    """Mark the event as removed, because its record was deleted from its repository. It is no longer in any list.
    Return None if the record is unknown.
    """
    row = await event_records.by_record_uri(tx, uri)
    event = await queries.lock_for_update(tx, row.id) if row else None
    if event is None:
        return None
    await event_records.set_removed(tx, [event.id])
    return event.id


async def store_record_uri(tx: Transaction, event_id: EventId, *, uri: str, cid: str, did: str) -> bool:
    """Store the URI of the event's record. Return True if it is new. An event that was held until then becomes visible."""
    before = await queries.by_id(tx, event_id)
    await event_records.set_record(tx, event_id, uri, cid, did)
    await release(tx, event_id)
    await enqueue_group_event(tx, event_id)
    return before is not None and before.record_uri != uri


async def release(tx: Transaction, event_id: EventId) -> None:
    """Show an event that was held for its record: the author's PDS has accepted it, or it will not be published.

    The revision stays, because nobody has edited anything.
    """
    if await queries.release(tx, event_id):
        await notify_webhooks(tx, await queries.several(tx, [event_id]))


async def _release_each(tx: Transaction, event_ids: Sequence[str]) -> None:
    await notify_webhooks(tx, await queries.several(tx, await queries.release_each(tx, event_ids)))


HELD_IN_GROUP: Final = BulkChange(
    "held_in_group",
    "select id, id as key from events where group_id {owner} and is_held = 1 and is_draft = 0",
    _release_each,
)


async def release_in_group(tx: Transaction, group_id: GroupId) -> None:
    """``release`` the held events of a group whose events will no longer be published. A job releases them if there are
    many.
    """
    await bulk_changes.apply(tx, HELD_IN_GROUP, [group_id])


async def forget_record(tx: Transaction, event_id: EventId, uri: str | None = None) -> None:
    """Detach the event's record, which was deleted on request. Its URI (``uri``, if none is stored) is kept as that of
    a superseded record.
    """
    event = await queries.by_id(tx, event_id)
    superseded_uri = uri or (None if event is None else event.record_uri)
    if event is not None and event.deleted_at is None and superseded_uri is not None:
        await superseded_records.store(
            tx, publications.PublicationKind.EVENT, event_id, superseded_uri, is_foreign=False, is_there=False
        )
    await event_records.count_retraction(tx, event_id)
    await event_records.forget_record(tx, event_id)
    await enqueue_group_event(tx, event_id)


def asks_host_about_deletion(event: Event) -> bool:
    """Whether the host still has to decide about a deleted record. For an event from the network, the deletion is
    final.
    """
    return event.origin is RecordOrigin.HERE and not event.is_gone


async def decide_about_deleted_record(
    tx: Transaction, caller: Caller, slug: EventSlug, decision: DeletedRecordChoice
) -> Event:
    """Apply the host's choice. Raises NotFound, Forbidden, and Refused (``NothingToDecide``) if no record was deleted."""
    event = await lock_for_host(tx, caller, slug, None, EventPermission.PUBLISH_RECORD)
    if event.record_deleted_at is None:
        raise Refused(EventReason.RECORD_NOT_DELETED, name="NothingToDecide")
    if decision is DeletedRecordChoice.KEEP:
        return await keep_here(tx, event)
    after = await _save_decision(tx, event)
    await enqueue_record(tx, after)
    await publications.retry_now(tx, kind=publications.PublicationKind.EVENT, subject_id=after.id)
    return after


async def keep_here(tx: Transaction, event: Event) -> Event:
    """Keep a locked event unpublished until its host publishes it again."""
    after = await _save_decision(tx, event)
    await enqueue_record(tx, after)
    await publication_withdrawals.withdraw(tx, kind=publications.PublicationKind.EVENT, subject_id=after.id)
    return after


async def _save_decision(tx: Transaction, event: Event) -> Event:
    """Detach the deleted record and mark the question as answered. Return the locked event."""
    await forget_record(tx, event.id)
    locked = await queries.lock_for_update(tx, event.id) or event
    after = replace(locked, record_deleted_at=None, revision=locked.revision + 1, updated_at=tx.now)
    await queries.update(tx, after, search_text=search_text(after))
    return after


async def withdraw_record_elsewhere(tx: Transaction, caller: Caller, slug: EventSlug) -> Event:
    """Delete the record that the author wrote in another app, at their explicit request. The event stays on this site.

    Raises NotFound, Forbidden, and Refused if it did not come from a record (``NoRecord``) or is also public on this
    site (``PublicEvent``).
    """
    event = await lock_for_host(tx, caller, slug, None, EventPermission.PUBLISH_RECORD)
    if not event.has_foreign_record or event.record_uri is None:
        raise Refused(EventReason.NO_RECORD_ELSEWHERE, name="NoRecord")
    if event.visibility is Visibility.PUBLIC:
        raise Refused(EventReason.PUBLIC_HERE, name="PublicEvent")
    await publication_withdrawals.withdraw_foreign_record(
        tx,
        kind=publications.PublicationKind.EVENT,
        subject_id=event.id,
        user_id=event.author_id,
        revision=event.revision,
        record_uri=event.record_uri,
    )
    return event
