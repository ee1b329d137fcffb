"""Writes of single records: read the target, plan the write (``write_plan``), store key and CID, send it, store the
response of the PDS.

A change found in the repository is passed to ingestion with its proof and merged there. After three such rounds, or
more than five writes within an hour without an edit by a person, a person must decide.
"""

from at_network.pacing import pause_seconds
from at_network.xrpc_client import XrpcClient
from at_protocol.repo.proof import RecordProof
from at_protocol.syntax.at_uri import AtUri, parse_at_uri
from groundwork.clock import SECOND, Instant
from groundwork.errors import Conflict, Explanation, RemoteFailed, Unavailable
from groundwork.telemetry.logs import log
from openmeet.network.publishing import delivery_results
from openmeet.network.publishing.blobs import PictureTooLarge, store_lower_limit, upload
from openmeet.network.publishing.decision import Publish
from openmeet.network.publishing.decision_basis import lock_basis
from openmeet.network.publishing.dependencies import PublishingDependencies
from openmeet.network.publishing.late_writes import clear_in_flight, clearing_if_refused
from openmeet.network.publishing.repository_calls import (
    CurrentRecord,
    WriteReceipt,
    fetch_proof,
    is_plausible_rev,
    put_record,
    rev_of,
)
from openmeet.network.publishing.write_plan import (
    ChangedElsewhere,
    KeyOccupied,
    PlannedWrite,
    check_record,
    plan_write,
    read_target,
)
from openmeet.network.records import links, seen
from openmeet.network.records.event_writer import encode_record
from openmeet.network.repositories.read import message_of_proof
from openmeet.outbox import leased_publications
from openmeet.outbox.in_flight import InFlightWrite
from openmeet.outbox.publication_queries import Publication
from openmeet.outbox.publications import PublicationState, RecordVersion
from openmeet.outbox.reasons import PublicationReason

MAX_MERGE_ROUNDS = 3
MAX_WRITES_PER_HOUR = 5
# A publication becomes due again when ingestion has applied the version that was found. This delay covers a message that
# ingestion already knew.
INGESTED_AFTER = 30 * SECOND
# A create costs three points of a repository's hourly budget, an update two, a delete one.
WRITE_COST = 3
DELETE_COST = 1


async def complete_earlier_write(dependencies: PublishingDependencies, publication: Publication) -> bool:
    """Complete an earlier write that may have been sent without its response being stored. Returns whether it arrived."""
    if (
        publication.uri is None
        or publication.chosen_cid is None
        or publication.chosen_body is None
        or publication.chosen_revision is None
    ):
        return False
    if publication.chosen_cid == publication.base_cid:
        return False
    proof = await fetch_proof(dependencies, parse_at_uri(publication.uri))
    if str(proof.cid) != publication.chosen_cid:
        return False
    version = RecordVersion(publication.uri, rev_of(proof), publication.chosen_cid, publication.chosen_body)
    await delivery_results.complete_write(dependencies, publication, version, revision=publication.chosen_revision)
    return True


async def write(
    dependencies: PublishingDependencies,
    client: XrpcClient,
    publication: Publication,
    decision: Publish,
    max_picture_bytes: int | None = None,
) -> None:
    """Make the repository match the current state. Raises the errors of the calls. A call that fails leaves only
    what the next attempt can use.

    ``max_picture_bytes``: given when the server has just refused a larger picture.
    """
    target = await read_target(dependencies, client, publication, decision)
    if target.was_unattached:
        async with dependencies.db.transaction() as tx:
            if not await lock_basis(tx, [(publication, decision)]):
                return
            await leased_publications.attach_found_record(
                tx, publication, did=decision.identity.did, uri=str(target.uri)
            )
    planned = await plan_write(dependencies, client, publication, decision, target, max_picture_bytes)
    if isinstance(planned, ChangedElsewhere):
        await _hand_to_ingestion(dependencies, publication, planned.uri)
        return
    if isinstance(planned, KeyOccupied):
        if planned.is_ours:
            raise Unavailable(PublicationReason.LATE_WRITE)
        reason = PublicationReason.KEY_OCCUPIED
        await delivery_results.end_lease(dependencies, publication, PublicationState.CONFLICTED, reason=reason)
        return
    if planned.is_up_to_date and planned.current is not None:
        await _accept_current_version(dependencies, publication, planned, planned.current)
        return
    try:
        await _send(dependencies, client, publication, planned)
    except PictureTooLarge as refused:
        # Halve the limit each time: after a few attempts, the record is published with a small picture or with none.
        await store_lower_limit(dependencies.network, client.service, refused.size // 2)
        await write(dependencies, client, publication, decision, refused.size // 2)


async def _send(
    dependencies: PublishingDependencies, client: XrpcClient, publication: Publication, planned: PlannedWrite
) -> None:
    written = encode_record(planned.record)
    cid, uri = str(written.cid), str(planned.uri)
    check_record(dependencies, planned, written.body)
    if await pause_for_budget(dependencies, client, publication, cost=WRITE_COST):
        return
    if planned.picture.blob is not None:
        await upload(client, planned.picture.blob)
    in_flight_write = InFlightWrite(uri, cid, None if planned.current is None else planned.current.cid)
    async with dependencies.db.transaction() as tx:
        if not await lock_basis(tx, [(publication, planned.decision)]):
            return
        writes = await leased_publications.store_before_sending(
            tx, publication, in_flight_write, did=planned.identity.did, body=written.body
        )
    if writes is None:
        return  # it is decided again, or the lease has passed to another worker
    if writes > MAX_WRITES_PER_HOUR:
        await clear_in_flight(dependencies, [in_flight_write])
        await stop_rewriting(dependencies, publication, uri, writes)
        return
    try:
        async with clearing_if_refused(dependencies, [in_flight_write]):
            receipt = await put_record(client, planned.uri, written.record, replaced_cid=in_flight_write.replaced_cid)
    except Conflict:
        await _resolve_conflict(dependencies, publication, planned.uri, cid, written.body)
        return
    await store_response(
        dependencies, publication, in_flight_write, written.body, receipt, omitted=planned.picture.reason
    )


async def pause_for_budget(
    dependencies: PublishingDependencies, client: XrpcClient, publication: Publication, *, cost: int
) -> bool:
    """If the account's write budget is spent, let the row wait until the budget allows the write, and return True."""
    now = dependencies.network.clock.now()
    seconds = pause_seconds(client.pace, now, cost=cost)
    if seconds > 0:
        until = Instant(now + int(seconds * SECOND))
        await delivery_results.pause(dependencies, publication, PublicationReason.WRITE_BUDGET_SPENT, until)
    return seconds > 0


async def stop_rewriting(dependencies: PublishingDependencies, publication: Publication, uri: str, writes: int) -> None:
    """Stop sending a record that was written too often within an hour. Its owner must decide."""
    log.error("publication.written_too_often", uri=uri, writes=writes)
    reason = PublicationReason.WRITTEN_TOO_OFTEN
    await delivery_results.end_lease(dependencies, publication, PublicationState.CONFLICTED, reason=reason)


async def store_response(
    dependencies: PublishingDependencies,
    publication: Publication,
    in_flight_write: InFlightWrite,
    body: bytes,
    receipt: WriteReceipt,
    omitted: Explanation | None = None,
) -> None:
    """Store the PDS's response to a write of these bytes, or read back what the PDS really has."""
    if (
        receipt.cid == in_flight_write.cid
        and receipt.rev is not None
        and is_plausible_rev(receipt.rev, dependencies.network.clock.now())
    ):
        version = RecordVersion(in_flight_write.uri, receipt.rev, in_flight_write.cid, body)
    else:
        # One of three things happened. No commit was made because nothing changed. Or the PDS stores other bytes than
        # were sent: its bytes must be the base, or each comparison would fail. Or its rev is invalid, and the stored rev
        # orders everything that follows.
        proof = await fetch_proof(dependencies, parse_at_uri(in_flight_write.uri))
        if proof.cid is None or proof.record is None:
            raise RemoteFailed(PublicationReason.NOT_READABLE_BACK)
        version = RecordVersion(in_flight_write.uri, rev_of(proof), str(proof.cid), proof.record)
    await delivery_results.complete_write(
        dependencies,
        publication,
        version,
        revision=publication.revision,
        answered_write=in_flight_write,
        omitted=omitted,
    )


async def _accept_current_version(
    dependencies: PublishingDependencies, publication: Publication, planned: PlannedWrite, current: CurrentRecord
) -> None:
    """Store the PDS's version as the base without a write, because it already has all our fields.

    If it was only seen unsigned, anybody could have chosen its rev; if another version was ingested meanwhile, that one
    must be merged. In both cases the version is passed to ingestion with its proof first.
    """
    uri = str(planned.uri)
    async with dependencies.db.transaction() as tx:
        await links.lock_record(tx, planned.identity.did, uri)
        seen_record = await seen.find(tx, uri)
        if seen_record is not None and seen_record.is_verified and seen_record.cid == current.cid:
            await links.lock_row_of(tx, publication.kind, publication.subject_id)
            await leased_publications.attach_found_record(tx, publication, did=planned.identity.did, uri=uri)
            version = RecordVersion(uri, seen_record.rev, current.cid, current.body)
            await delivery_results.set_published_and_location(
                tx, publication, version, revision=publication.revision, omitted=planned.picture.reason
            )
            return
    await _hand_to_ingestion(dependencies, publication, planned.uri)


async def _resolve_conflict(
    dependencies: PublishingDependencies, publication: Publication, uri: AtUri, cid: str, body: bytes
) -> None:
    """Handle an unexpected version at the PDS: complete the write if it is our own lost write, otherwise pass the
    version to ingestion.
    """
    proof = await fetch_proof(dependencies, uri)
    if str(proof.cid) == cid:
        version = RecordVersion(str(uri), rev_of(proof), cid, body)
        await delivery_results.complete_write(dependencies, publication, version, revision=publication.revision)
    else:
        await _hand_to_ingestion(dependencies, publication, uri, proof)


async def _hand_to_ingestion(
    dependencies: PublishingDependencies, publication: Publication, uri: AtUri, proof: RecordProof | None = None
) -> None:
    """Enqueue what the repository has, with its proof, for ingestion. The publication is due again when that is merged."""
    message = message_of_proof(uri, proof or await fetch_proof(dependencies, uri))
    due_at = Instant(dependencies.network.clock.now() + INGESTED_AFTER)
    # Stored before the message is enqueued: ingestion makes rows due that wait for it.
    if await delivery_results.pause_for_merge(dependencies, publication, due_at=due_at, max_rounds=MAX_MERGE_ROUNDS):
        await dependencies.hand_to_ingestion([message])
