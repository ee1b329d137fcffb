"""RSVPs that await their event: the event has not been seen, or is not visible to the author of the RSVP. An unseen event
is fetched once. The RSVP is applied once its author can see the event here.

Such RSVPs are rows of ``records`` in state AWAITS_EVENT; nothing else is stored. They are limited per author and
deleted after thirty days (``records.seen_rsvps``). RSVPs that fail when they are applied are quarantined.

``reevaluate_awaiting_rsvps`` also reevaluates the pending RSVPs of a person, which await a host.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

from at_protocol.syntax.at_uri import AtUri
from at_protocol.syntax.did import Did
from groundwork.database.transaction import Database, Transaction
from groundwork.outbox.delivery import JobHandler
from groundwork.outbox.jobs import Job, complete_failed, enqueue_many
from groundwork.telemetry.logs import log
from openmeet.domain.attendance import reevaluation
from openmeet.domain.events import event_records
from openmeet.domain.events.model import EventId
from openmeet.domain.users.model import UserId
from openmeet.network.ingestion import apply_rsvp, quarantine
from openmeet.network.ingestion.apply_rsvp import PersonAndEvent
from openmeet.network.ingestion.quarantine import (
    MAX_QUARANTINED,
    FailedStep,
    RecordFailure,
    is_of_record,
    is_worth_splitting,
)
from openmeet.network.records import seen_rsvps
from openmeet.network.records.links import current_subject
from openmeet.network.records.seen import SeenRecord
from openmeet.outbox.kinds import JobKind

# There are few, because their number is limited per author (``records.seen_rsvps``). Other jobs fetch missing events.
_AWAITED_AND_HERE: Final = """
    select distinct r.subject_uri as uri from records r
      join identities i on i.did = r.did
     where i.user_id = :user_id and r.state = 'awaits_event'
       and (exists (select 1 from events e where e.record_uri = r.subject_uri)
            or exists (select 1 from superseded_records f where f.uri = r.subject_uri and f.kind = 'event'))
     order by r.subject_uri
"""


async def enqueue_fetches(tx: Transaction, awaited_uris: set[str], subjects: Sequence[str]) -> None:
    """Enqueue fetches of the unknown events of these RSVPs, one per event, no matter how many RSVPs wait.
    ``awaited_uris``: as in a batch.
    """
    awaited_uris.update(subjects)
    await enqueue_many(tx, JobKind.FETCH_SUBJECT, [(subject, 1, tx.now) for subject in subjects])


async def apply_awaiting_in_batch(tx: Transaction, awaited_uris: set[str], uris: Sequence[str]) -> None:
    """Apply the RSVPs that await events whose records have just become known, and complete failed jobs that fetch
    these events. ``awaited_uris`` of the batch: these events are removed from it.
    """
    await complete_failed(tx, JobKind.FETCH_SUBJECT, uris)
    uris_to_apply = [uri for uri in uris if uri in awaited_uris]
    awaited_uris.difference_update(uris_to_apply)
    await apply_awaiting(tx, await event_records.ids_with(tx, uris_to_apply))


async def update_attendances_of_new_events(tx: Transaction, event_ids: Mapping[str, EventId]) -> None:
    """Update the RSVPs whose records already refer to the records of these new events (by URI). Such a URI belonged to
    another event before.
    """
    for uri in await seen_rsvps.with_rsvps(tx, sorted(event_ids)):
        dids = dict.fromkeys(rsvp_record.did for rsvp_record in await seen_rsvps.rsvps_to(tx, uri))
        await apply_rsvp.update_attendances(tx, [PersonAndEvent(Did(did), uri, event_ids[uri]) for did in dids])


async def apply_awaiting(tx: Transaction, event_ids: Mapping[str, EventId], *, only: str | None = None) -> None:
    """Apply the RSVPs that await these events (by URI), in order of first arrival. ``only``: restrict to this DID."""
    waiting = await seen_rsvps.rsvps_awaiting(tx, sorted(event_ids))
    waiting = [rsvp_record for rsvp_record in waiting if only in {None, rsvp_record.did}]
    await seen_rsvps.end_wait(tx, [rsvp_record.uri for rsvp_record in waiting])
    await quarantine.release(tx, FailedStep.APPLY_AWAITING, [rsvp_record.uri for rsvp_record in waiting])
    pairs = dict.fromkeys((rsvp_record.did, rsvp_record.subject_uri or "") for rsvp_record in waiting)
    await apply_rsvp.update_attendances(
        tx, [PersonAndEvent(Did(did), subject, event_ids[subject]) for did, subject in pairs]
    )


async def resolve(tx: Transaction, *, handle_uri: AtUri, did_uri: AtUri, event_id: EventId | None) -> None:
    """Move RSVPs to the URI with the DID that the handle of their event resolved to. If the event is known, apply
    them at once.
    """
    await seen_rsvps.resolve_subject(tx, handle_uri=str(handle_uri), did_uri=str(did_uri))
    if event_id is not None:
        await apply_awaiting(tx, {str(did_uri): event_id})


def gained_access_handler(db: Database) -> JobHandler:
    """Return the handler of ``JobKind.GAINED_ACCESS``, which reevaluates the RSVPs of a person (its subject) that await
    an event or a host.
    """

    async def handle(job: Job) -> None:
        await reevaluate_awaiting_rsvps(db, UserId(job.subject))

    return handle


async def reevaluate_awaiting_rsvps(db: Database, user_id: UserId) -> None:
    """Reevaluate a person's RSVPs that await an event or a host. Each event has its own transaction, because others may
    wait for the lock on it, and a person can have any number of such RSVPs.
    """
    async with db.reader() as reader:
        rows = await reader.fetch(_AWAITED_AND_HERE, user_id=user_id)
    for row in rows:
        await apply_awaiting_if_here(db, row["uri"])
    async with db.reader() as reader:
        event_ids = await reevaluation.events_with_pending_rsvp(reader, user_id)
    for event_id in event_ids:
        async with db.transaction() as tx:
            await reevaluation.reevaluate_pending_rsvp(tx, event_id, user_id)


async def apply_awaiting_if_here(db: Database, uri: str) -> bool:
    """Apply the RSVPs that await an event if it is already here; no network call is needed then. Returns whether it is
    here.

    If they fail together because of one of them, or are too many for one transaction, each is applied by itself, and
    those that fail are quarantined. Raises the last error if so many fail that individual RSVPs cannot be the cause.
    """
    try:
        return await db.batch(partial(_apply_awaiting_if_here, uri, None))
    except Exception as together:
        if not is_worth_splitting(together):
            raise
    async with db.transaction() as tx:
        current = await current_subject(tx, uri)
        waiting: dict[str, list[SeenRecord]] = {}
        for one in await seen_rsvps.rsvps_awaiting(tx, sorted({current, uri})):
            waiting.setdefault(one.did, []).append(one)
    failed: list[RecordFailure] = []
    for did, rsvps in waiting.items():
        try:
            await db.batch(partial(_apply_awaiting_if_here, uri, did))
        except Exception as failure:
            if not is_of_record(failure):
                raise
            failed += [RecordFailure(one.uri, one.rev, failure, one.cid) for one in rsvps]
            log.error("rsvp.quarantined", uri=rsvps[-1].uri, reason=failed[-1].reason)
        if len(failed) > MAX_QUARANTINED:
            raise failed[-1].failure
    async with db.transaction() as tx:
        await quarantine.add(tx, FailedStep.APPLY_AWAITING, failed)
    return True


async def _apply_awaiting_if_here(uri: str, only: str | None, tx: Transaction) -> bool:
    current = await current_subject(tx, uri)
    event_id = await event_records.id_with(tx, current)
    if event_id is not None:
        await seen_rsvps.move_rsvps(tx, [uri], current)
        await apply_awaiting(tx, {current: event_id}, only=only)
    return event_id is not None
