"""Pending RSVPs: an RSVP whose event has not been seen waits for it, and the event is fetched once.

Pending RSVPs are rows of ``records`` in state PARKED; nothing else is stored. They are limited per author and deleted
after thirty days (``records.seen``).
"""

from collections.abc import Mapping, Sequence

from at_protocol.syntax.at_uri import AtUri
from at_protocol.syntax.did import Did
from groundwork.database.transaction import Transaction
from groundwork.outbox.jobs import complete_failed, enqueue_many
from openmeet.domain.events import by_record
from openmeet.domain.events.model import EventId
from openmeet.network.ingestion import quarantine, rsvps
from openmeet.network.ingestion.quarantine import FailedStep
from openmeet.network.ingestion.rsvps import PersonAndEvent
from openmeet.network.records import seen
from openmeet.outbox.kinds import JobKind


async def enqueue_fetches(tx: Transaction, waited_for: set[str], subjects: Sequence[str]) -> None:
    """Enqueue fetches of the unknown events of these RSVPs, one per event, no matter how many RSVPs wait.
    ``waited_for``: as in a batch.
    """
    waited_for.update(subjects)
    await enqueue_many(tx, JobKind.FETCH_SUBJECT, [(subject, 1, tx.now) for subject in subjects])


async def release(tx: Transaction, waited_for: set[str], uris: Sequence[str]) -> None:
    """Count the pending RSVPs of events whose records have just become known, and complete failed jobs that fetch these
    events.
    """
    await complete_failed(tx, JobKind.FETCH_SUBJECT, uris)
    waited_uris = [uri for uri in uris if uri in waited_for]
    waited_for.difference_update(waited_uris)
    await apply_pending(tx, await by_record.ids_with(tx, waited_uris))


async def follow_record(tx: Transaction, made: Mapping[str, EventId]) -> None:
    """Move the RSVPs of events to these new records (by URI) from their previous ones."""
    for uri in await seen.answered_among(tx, sorted(made)):
        dids = dict.fromkeys(rsvp_record.did for rsvp_record in await seen.effective_rsvps(tx, uri))
        await rsvps.derive_each(tx, [PersonAndEvent(Did(did), uri, made[uri]) for did in dids])


async def apply_pending(tx: Transaction, event_ids: Mapping[str, EventId], *, only: str | None = None) -> None:
    """Count the pending RSVPs of these events (by URI), in order of first arrival. ``only``: restrict to this DID."""
    waiting = await seen.parked_for(tx, sorted(event_ids))
    waiting = [rsvp_record for rsvp_record in waiting if only in {None, rsvp_record.did}]
    await seen.count_in(tx, [rsvp_record.uri for rsvp_record in waiting])
    await quarantine.release(tx, FailedStep.COUNT, [rsvp_record.uri for rsvp_record in waiting])
    pairs = dict.fromkeys((rsvp_record.did, rsvp_record.subject_uri or "") for rsvp_record in waiting)
    await rsvps.derive_each(tx, [PersonAndEvent(Did(did), subject, event_ids[subject]) for did, subject in pairs])


async def resolve(tx: Transaction, *, handle_uri: AtUri, did_uri: AtUri, event_id: EventId | None) -> None:
    """Move pending RSVPs to the URI with the DID that the handle resolved to. If the event is known, count them at
    once.
    """
    await seen.resolve_subject(tx, handle_uri=str(handle_uri), did_uri=str(did_uri))
    if event_id is not None:
        await apply_pending(tx, {str(did_uri): event_id})
