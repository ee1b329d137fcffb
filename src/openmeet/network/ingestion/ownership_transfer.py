"""Ownership transfers between other installations: the old and the new record refer to each other and are one event
here.

Either record may arrive first, and RSVPs to either may arrive before both. A transfer counts only if both sides state
it: the old repository releases the event, and the new one takes it over. If one side sufficed, anybody could give away
or take over the RSVPs to somebody else's event. If one of the two events was edited or restricted here, they are not
merged: the owner decides that on a page.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from at_protocol.data import cbor
from at_protocol.syntax.did import Did
from groundwork.database.row_lock import lock_rows
from groundwork.database.transaction import Transaction
from groundwork.outbox.jobs import enqueue_many
from openmeet.domain.attendance import merge
from openmeet.domain.events import event_records, ownership, record_changes
from openmeet.domain.events.model import Event, RecordOrigin
from openmeet.domain.identities import actions as identity_actions
from openmeet.domain.identities import queries as identity_queries
from openmeet.domain.users.model import UserId
from openmeet.network.ingestion import apply_rsvp, notify, rsvps_awaiting_event
from openmeet.network.ingestion.apply_rsvp import PersonAndEvent
from openmeet.network.ingestion.context import IngestionContext
from openmeet.network.ingestion.local_events import without_own_links
from openmeet.network.ingestion.parsed_messages import ParsedMessage
from openmeet.network.records import seen, seen_rsvps
from openmeet.network.records.collections import RSVPS, SUCCESSION_KEYS
from openmeet.network.records.event_reader import read_event
from openmeet.network.records.seen import RecordState, SeenRecord
from openmeet.network.records.succession import RecordSuccession, read_succession
from openmeet.outbox import superseded_records
from openmeet.outbox.kinds import JobKind
from openmeet.outbox.publication_status import subjects_with_publication
from openmeet.outbox.publications import PublicationKind

_TWO_RSVPS_OF_ONE_DID: Final = """
    select did from records where subject_uri = :uri and collection in :collections and state in ('mapped', 'awaits_event')
     group by did having count(*) > 1 order by did
"""


def named_by(parsed_messages: Sequence[ParsedMessage]) -> set[str]:
    """Return the other records that event versions refer to. They are locked together."""
    succession = [
        read_succession(one.record) for one in parsed_messages if one.event is not None and _has_succession(one.record)
    ]
    return {uri for one in succession for uri in (one.successor, *one.predecessors) if uri}


async def follow(tx: Transaction, context: IngestionContext, uri: str, record: Mapping[str, object]) -> None:
    """Merge two events if their records name each other as predecessor and successor. Called after a version of one was
    applied.
    """
    if not _has_succession(record):
        return
    succession = read_succession(record)
    if succession.successor and await seen.find(tx, succession.successor) is None:
        await enqueue_many(tx, JobKind.FETCH_SUBJECT, [(succession.successor, 1, tx.now)])
    for old, new in [*((before, uri) for before in succession.predecessors), (uri, succession.successor)]:
        await _step(tx, context, old, new)


async def _step(tx: Transaction, context: IngestionContext, old: str, new: str) -> None:
    seen_records = await seen.find_many(tx, [old, new])
    if old == new or old not in seen_records or new not in seen_records:
        return
    if _succession_in(seen_records[old]).successor != new or old not in _succession_in(seen_records[new]).predecessors:
        return
    old_event, new_event = await event_records.by_record_uri(tx, old), await event_records.by_record_uri(tx, new)
    if old_event is None or new_event is None or not await _may_join(tx, old_event, new_event):
        return
    await lock_rows(tx, "events", "id", sorted([old_event.id, new_event.id]))
    await _join(tx, context, old_event, new_event, seen_records[new])


async def _may_join(tx: Transaction, old_event: Event, new_event: Event) -> bool:
    is_from_there = {old_event.origin, new_event.origin} == {RecordOrigin.NETWORK} and not (
        old_event.is_gone or new_event.is_gone
    )
    return (
        is_from_there
        and not await subjects_with_publication(tx, PublicationKind.EVENT, [old_event.id, new_event.id])
        and await merge.has_no_limits(tx, old_event)
    )


async def _join(
    tx: Transaction, context: IngestionContext, old_event: Event, new_event: Event, newest: SeenRecord
) -> None:
    """Merge the two: the event that was known first continues with the new record, and the event derived only from the
    new record is removed.
    """
    old, new, did = old_event.record_uri or "", newest.uri, Did(newest.did)
    author_id, _ = await identity_actions.author_for_did(tx, did)
    await ownership.detach_event_record(tx, new_event.id)
    await superseded_records.store(tx, PublicationKind.EVENT, old_event.id, old, is_foreign=True)
    await superseded_records.assign(tx, PublicationKind.EVENT, dropped=new_event.id, kept=old_event.id)
    await event_records.set_record(tx, old_event.id, new, newest.cid or "", did)
    await ownership.set_network_author(tx, old_event.id, author_id)
    parsed_event = read_event(newest.collection, cbor.decode(newest.body or b""), rkey=newest.rkey, indexed_at=tx.now)
    network_event = without_own_links(parsed_event.event, context)
    await record_changes.apply_from_network(tx, uri=new, cid=newest.cid or "", author_id=author_id, event=network_event)
    await notify.of_change(tx, old_event, old_event.id, newest.rev)
    await seen_rsvps.move_rsvps(
        tx, [one.uri for one in await superseded_records.of_subject(tx, PublicationKind.EVENT, old_event.id)], new
    )
    both = await merge.merge_events(tx, new_event.id, old_event.id)
    # No RSVP is pending for either of the two any longer.
    await rsvps_awaiting_event.apply_awaiting(tx, {new: old_event.id})
    twice = await tx.fetch(_TWO_RSVPS_OF_ONE_DID, uri=new, collections=sorted(RSVPS))
    dids = {row["did"] for row in twice} | await _dids_of(tx, both)
    await apply_rsvp.update_attendances(tx, [PersonAndEvent(Did(one), new, old_event.id) for one in sorted(dids)])


async def _dids_of(tx: Transaction, people: Collection[UserId]) -> set[str]:
    identities = await identity_queries.of_users(tx, sorted(people)) if people else {}
    return {one.did for identities_of_person in identities.values() for one in identities_of_person}


def _succession_in(seen_record: SeenRecord) -> RecordSuccession:
    if seen_record.state is not RecordState.MAPPED or seen_record.body is None:
        return RecordSuccession()
    record = cbor.decode(seen_record.body)
    return read_succession(record) if isinstance(record, dict) else RecordSuccession()


def _has_succession(record: Mapping[str, object]) -> bool:
    return any(key in record for key in SUCCESSION_KEYS)
