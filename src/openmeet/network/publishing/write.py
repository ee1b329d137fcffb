"""Write one record: draft it (``draft``), store its key and CID, send it, store the PDS's response.

A change found in the repository is handed to ingestion with its proof and merged there. After three such rounds, or
more than five writes in an hour that nobody asked for, a person must decide.
"""

from at_network.pacing import pause_seconds
from at_network.xrpc_client import XrpcClient
from at_protocol.repo.proof import RecordProof
from at_protocol.syntax.at_uri import AtUri, parse_at_uri
from groundwork.clock import Instant
from groundwork.errors import Conflict, RemoteFailed, Unavailable
from groundwork.telemetry.logs import log
from openmeet.network.publishing import settle
from openmeet.network.publishing.blobs import PictureTooLarge, learn_limit, upload
from openmeet.network.publishing.decision import Publish
from openmeet.network.publishing.draft import ChangedElsewhere, Draft, Occupied, check, drafted
from openmeet.network.publishing.in_flight import is_rev, message_of, note_answered, prove, rev_of, until_answered
from openmeet.network.publishing.publisher import (
    CHANGED_ELSEWHERE,
    INGESTED_AFTER,
    MAX_ROUNDS,
    MAX_WRITES_PER_HOUR,
    WRITE_COST,
    Publisher,
)
from openmeet.network.publishing.send import Current, WriteReceipt, store
from openmeet.network.records import seen
from openmeet.network.records.event_writer import seal_in_cbor
from openmeet.outbox import publication_leases as leases
from openmeet.outbox.in_flight import InFlightWrite
from openmeet.outbox.publication_leases import LeasedPublication
from openmeet.outbox.publications import PublicationState


async def settle_earlier_send(publisher: Publisher, held: LeasedPublication) -> bool:
    """An earlier write may have been sent without its response being stored: complete it here if it arrived."""
    if held.uri is None or held.chosen_cid is None or held.chosen_body is None or held.chosen_revision is None:
        return False
    if held.chosen_cid == held.base_cid:
        return False
    proven = await prove(parse_at_uri(held.uri), publisher)
    if str(proven.cid) != held.chosen_cid:
        return False
    await settle.confirm(
        publisher,
        held,
        revision=held.chosen_revision,
        uri=held.uri,
        cid=held.chosen_cid,
        body=held.chosen_body,
        rev=rev_of(proven),
    )
    return True


async def write(
    publisher: Publisher,
    client: XrpcClient,
    held: LeasedPublication,
    decision: Publish,
    picture_bytes: int | None = None,
) -> None:
    """Make the repository agree with the present. Raises what the calls raise; nothing is left half done.

    ``picture_bytes``: maximum size of a picture, because the server has just refused a larger one.
    """
    draft = await drafted(publisher, client, held, decision, picture_bytes)
    if isinstance(draft, ChangedElsewhere):
        await _hand_to_ingestion(publisher, held, draft.uri)
        return
    if isinstance(draft, Occupied):
        if draft.is_ours:
            raise Unavailable("An earlier request of ours has arrived late, and is taken away first.")
        reason = "Another app has written something else under this address."
        await settle.give_back(publisher, held, PublicationState.CONFLICTED, reason=reason)
        return
    if draft.owes_nothing and draft.current is not None:
        await _agree(publisher, held, draft, draft.current)
        return
    try:
        await _send(publisher, client, held, draft)
    except PictureTooLarge as refused:
        # Halve the limit each time: after a few attempts the record is published with a small picture or with none.
        await learn_limit(publisher.network, client.service, refused.size // 2)
        await write(publisher, client, held, decision, refused.size // 2)


async def _send(publisher: Publisher, client: XrpcClient, held: LeasedPublication, draft: Draft) -> None:
    written = seal_in_cbor(draft.record)
    cid, uri = str(written.cid), str(draft.uri)
    check(publisher, draft, written.body)
    wait = pause_seconds(client.pace, publisher.network.clock.now(), cost=WRITE_COST)
    if wait > 0:
        await settle.try_later(publisher, held, "The PDS asks for slower writes.", wait)
        return
    if draft.picture.blob is not None:
        await upload(client, draft.picture.blob)
    sent = InFlightWrite(uri, cid, None if draft.current is None else draft.current.cid)
    async with publisher.db.transaction() as tx:
        writes = await leases.fix(tx, held, sent, did=draft.identity.did, body=written.body)
    if writes is None:
        return  # the lease has passed to another worker
    if writes > MAX_WRITES_PER_HOUR:
        await note_answered(publisher, [sent])
        await written_too_often(publisher, held, uri, writes)
        return
    try:
        async with until_answered(publisher, [sent]):
            stored = await store(client, draft.uri, written.record, swap=sent.instead_of)
    except Conflict:
        await _after_conflict(publisher, held, draft.uri, cid, written.body)
        return
    await settle_stored(publisher, held, sent, written.body, stored, lacks=draft.picture.without)


async def written_too_often(publisher: Publisher, held: LeasedPublication, uri: str, writes: int) -> None:
    """Stop sending a row that was written this often within an hour: its owner must look at it."""
    log.error("publication.written_too_often", uri=uri, writes=writes)
    reason = "Another program keeps changing this record back."
    await settle.give_back(publisher, held, PublicationState.CONFLICTED, reason=reason)


async def settle_stored(
    publisher: Publisher,
    held: LeasedPublication,
    sent: InFlightWrite,
    body: bytes,
    stored: WriteReceipt,
    lacks: str = "",
) -> None:
    """The PDS has accepted a write of these bytes: store its response, or read back what it really has."""
    if stored.cid == sent.cid and stored.rev is not None and is_rev(stored.rev, publisher.network.clock.now()):
        await settle.confirm(
            publisher,
            held,
            revision=held.revision,
            uri=sent.uri,
            cid=sent.cid,
            body=body,
            rev=stored.rev,
            answered=sent,
            lacks=lacks,
        )
        return
    # No commit was made because nothing changed, or the PDS stores other bytes than were sent: its bytes are the base,
    # or each comparison would fail. Or its rev is invalid: the rev stored beside a record orders all that follows.
    proven = await prove(parse_at_uri(sent.uri), publisher)
    if proven.cid is None or proven.record is None:
        raise RemoteFailed("What the PDS stored cannot be read back.")
    await settle.confirm(
        publisher,
        held,
        revision=held.revision,
        uri=sent.uri,
        cid=str(proven.cid),
        body=proven.record,
        rev=rev_of(proven),
        answered=sent,
        lacks=lacks,
    )


async def _agree(publisher: Publisher, held: LeasedPublication, draft: Draft, current: Current) -> None:
    """The record contains all our fields already: no write, and the PDS's version is the base."""
    async with publisher.db.transaction() as tx:
        known = await seen.find(tx, str(draft.uri))
        if known is None:
            return  # unreachable: ``drafted`` found it; the lease ends and the row is checked again
        await leases.attach_current(tx, held, did=draft.identity.did, uri=str(draft.uri))
        await settle.settle(
            tx,
            held,
            revision=held.revision,
            uri=str(draft.uri),
            cid=current.cid,
            body=current.body,
            rev=known.rev,
            lacks=draft.picture.without,
        )


async def _after_conflict(publisher: Publisher, held: LeasedPublication, uri: AtUri, cid: str, body: bytes) -> None:
    """Another version is there than expected: perhaps our own bytes, from a write whose response was lost."""
    proven = await prove(uri, publisher)
    if str(proven.cid) == cid:
        await settle.confirm(
            publisher, held, revision=held.revision, uri=str(uri), cid=cid, body=body, rev=rev_of(proven)
        )
    else:
        await _hand_to_ingestion(publisher, held, uri, proven)


async def _hand_to_ingestion(
    publisher: Publisher, held: LeasedPublication, uri: AtUri, proven: RecordProof | None = None
) -> None:
    """Enqueue what the repository has, with its proof, as a message of that rev; the job is due after it."""
    # A round is one merged version. An attempt before ingestion has applied it is none: the row's reason still shows
    # that.
    is_round = held.reason != CHANGED_ELSEWHERE
    if is_round and held.rounds + 1 > MAX_ROUNDS:
        reason = "The record changed again and again while we wrote."
        await settle.give_back(publisher, held, PublicationState.CONFLICTED, reason=reason)
        return
    await publisher.enqueue([message_of(uri, proven or await prove(uri, publisher))])
    due_at = Instant(publisher.network.clock.now() + INGESTED_AFTER)
    await settle.give_back(
        publisher, held, PublicationState.RETRYING, reason=CHANGED_ELSEWHERE, due_at=due_at, is_round=is_round
    )
