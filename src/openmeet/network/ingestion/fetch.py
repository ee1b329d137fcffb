"""Fetch individual records with proof: events that RSVPs await, and records that an unverified source contradicts.

Calls per server and minute are limited (``server_budgets``). A record that cannot be applied because of its own content is
quarantined (``quarantine``).
"""

from collections.abc import Awaitable
from functools import partial
from typing import TypeVar

from at_protocol.failures import Malformed
from at_protocol.repo.proof import RecordProof
from at_protocol.syntax.at_uri import AtUri, parse_at_uri
from at_protocol.syntax.did import Did, parse_did
from at_protocol.syntax.handle import parse_handle
from groundwork.database.transaction import Database
from groundwork.errors import InvalidInput, NotFound
from groundwork.outbox.delivery import JobHandler
from groundwork.outbox.jobs import Job
from groundwork.telemetry.logs import log
from openmeet.domain.events import event_records
from openmeet.network.ingestion import rsvps_awaiting_event
from openmeet.network.ingestion.context import IngestionContext
from openmeet.network.ingestion.failure_isolation import apply_fetched
from openmeet.network.ingestion.reasons import IngestionReason
from openmeet.network.ingestion.server_budgets import SpendOnProof, SpendOnServer, spend_on_pds, unlimited
from openmeet.network.records.links import lock_current
from openmeet.network.records.metrics import CountUnknownIdentity
from openmeet.network.repositories.clients import NetworkClients
from openmeet.network.repositories.read import message_of_proof, prove_record

T = TypeVar("T")


class UnknownAuthor(NotFound):
    """The authority of an AT URI cannot be resolved: the directory does not know the DID, or the handle resolves to
    nothing.
    """


def subject_handler(
    db: Database,
    network: NetworkClients,
    context: IngestionContext,
    count_unknown: CountUnknownIdentity = lambda _kind: None,
    spend_on_server: SpendOnServer = unlimited,
) -> JobHandler:
    """Return the handler of ``JobKind.FETCH_SUBJECT``. The subject of the job is the event's AT URI.

    ``count_unknown`` is called for RSVPs whose event names an author that cannot be resolved.
    """

    async def handle(job: Job) -> None:
        subject = _uri_of(job)
        try:
            await fetch_subject(db, network, context, subject, spend_on_server)
        except UnknownAuthor as unknown:
            log.info("subject.unknown", uri=str(subject), reason=unknown.why)
            count_unknown(job.kind)

    return handle


async def fetch_subject(
    db: Database,
    network: NetworkClients,
    context: IngestionContext,
    subject: AtUri,
    spend_on_server: SpendOnServer = unlimited,
) -> bool:
    """Fetch an event, and apply the RSVPs that await it. Returns False if its author's repository does not have
    it or is not served.

    A handle in the URI is resolved first; the RSVPs then await the URI with the DID. Raises UnknownAuthor, InvalidInput
    if this is not the URI of one record, and TooMany if the budget of the author's server is spent.
    """
    did = await _resolved(_did_of(network, subject))
    durable = AtUri(did, subject.collection, subject.rkey)
    if durable != subject:
        async with db.transaction() as tx:
            leads = await lock_current(tx, [str(durable)], along=[str(subject)])
            current = parse_at_uri(leads.get(str(durable), str(durable)))
            event = await event_records.find(tx, str(current))
            await rsvps_awaiting_event.resolve(
                tx, handle_uri=subject, did_uri=current, event_id=None if event is None else event.id
            )
        if event is not None:
            return True
    if durable.collection is None or durable.rkey is None:
        raise InvalidInput("uri", IngestionReason.NOT_A_RECORD_URI)
    if await rsvps_awaiting_event.apply_awaiting_if_here(db, str(durable)):
        return True
    await _resolved(network.dids.resolve(did))
    await spend_on_pds(network, spend_on_server, did)
    try:
        proof = await prove_record(network, did, durable.collection, durable.rkey)
    except (NotFound, InvalidInput) as absent:
        log.info("subject.not_served", uri=str(durable), reason=absent.why)
        return False
    if proof.cid is None:
        return False
    await _apply_proof(db, context, durable, proof)
    return True


def record_handler(
    db: Database, network: NetworkClients, context: IngestionContext, spend_on_proof: SpendOnProof = unlimited
) -> JobHandler:
    """Return the handler of ``JobKind.PROVE_RECORD``. The subject of the job is the record's AT URI, with a DID as its
    authority.
    """

    async def handle(job: Job) -> None:
        uri = _uri_of(job)
        await prove_and_apply(db, network, context, uri, partial(spend_on_proof, uri.authority))

    return handle


async def prove_and_apply(
    db: Database,
    network: NetworkClients,
    context: IngestionContext,
    uri: AtUri,
    spend_on_server: SpendOnServer = unlimited,
) -> None:
    """Ask the repository for a record, and apply the proof that it exists or is absent.

    A repository that is not served changes nothing. Raises TooMany if the budget of its server is spent.
    """
    did = parse_did(uri.authority)
    if uri.collection is None or uri.rkey is None:
        raise InvalidInput("uri", IngestionReason.NOT_A_RECORD_URI)
    try:
        await spend_on_pds(network, spend_on_server, did)
        proof = await prove_record(network, did, uri.collection, uri.rkey)
    except NotFound as absent:
        log.info("record.not_served", uri=str(uri), reason=absent.why)
        return
    await _apply_proof(db, context, uri, proof)


def _uri_of(job: Job) -> AtUri:
    """Parse the subject. Raises InvalidInput, which fails the job, so that an operator sees why."""
    try:
        return parse_at_uri(job.subject)
    except Malformed as wrong:
        raise InvalidInput("uri", IngestionReason.NOT_A_RECORD_URI) from wrong


async def _apply_proof(db: Database, context: IngestionContext, uri: AtUri, proof: RecordProof) -> None:
    """Apply the record or its absence, as of the commit in the proof."""
    await apply_fetched(db, context, message_of_proof(uri, proof))


async def _resolved(resolving: Awaitable[T]) -> T:
    try:
        return await resolving
    except (NotFound, InvalidInput) as unknown:
        raise UnknownAuthor(unknown.why, name=unknown.name) from unknown


async def _did_of(network: NetworkClients, subject: AtUri) -> Did:
    if subject.authority.startswith("did:"):
        return parse_did(subject.authority)
    return await network.handles.resolve(parse_handle(subject.authority))
