"""Writing one record: what the PDS holds is read, our fields are changed in it, key and CID are stored, it is sent.

What is found changed in the repository is handed to ingestion with its proof and merged there; after three such rounds,
or more than five writes in an hour that nobody asked for, a person must look.
"""

from dataclasses import dataclass

from at_network.pacing import pause_seconds
from at_network.xrpc_client import XrpcClient
from at_protocol.data import cbor
from at_protocol.data.model import Value
from at_protocol.failures import Malformed
from at_protocol.lexicon.validate import validate_record
from at_protocol.repo.proof import Proven
from at_protocol.sync import verify
from at_protocol.sync.verify import check_rev
from at_protocol.syntax.at_uri import AtUri, parse_at_uri
from at_protocol.syntax.did import Did, parse_did
from at_protocol.syntax.record_key import RecordKey
from at_protocol.syntax.tid import parse_tid
from groundwork.clock import Instant
from groundwork.errors import Conflict, Refused, RemoteFailed
from groundwork.telemetry.logs import log
from openmeet.debts import publication_leases as leases
from openmeet.debts.publication_leases import Publication
from openmeet.debts.publications import State
from openmeet.events.model import Event
from openmeet.identities.model import Identity
from openmeet.identities.reading import prove_record
from openmeet.publication import settling
from openmeet.publication.eligibility import PublishEvent, PublishRsvp
from openmeet.publication.publisher import (
    CHANGED_ELSEWHERE,
    INGESTED_AFTER,
    MAX_ROUNDS,
    MAX_WRITES_PER_HOUR,
    WRITE_COST,
    Publisher,
    page_of,
)
from openmeet.publication.sending import Current, Stored, get_record, put_record
from openmeet.records import seen
from openmeet.records.collections import EVENT, RSVP, RSVPS
from openmeet.records.event import MAX_RECORD_BYTES
from openmeet.records.event_writing import owes_nothing, publishable, seal_in_cbor, write_event
from openmeet.records.message import Operation, RecordMessage
from openmeet.records.own_entries import Earlier
from openmeet.records.rsvp import record_key_for, write_rsvp


@dataclass(frozen=True, slots=True)
class Draft:
    """What is about to be written: where, in place of what, and the record."""

    uri: AtUri
    identity: Identity
    current: Current | None
    record: dict[str, Value]
    owes_nothing: bool


async def settle_earlier_send(publisher: Publisher, held: Publication) -> bool:
    """Something may have been sent without an answer being noted: if it arrived, it is settled here."""
    if held.uri is None or held.chosen_cid is None or held.chosen_body is None or held.chosen_revision is None:
        return False
    if held.chosen_cid == held.base_cid:
        return False
    proven = await _prove(parse_at_uri(held.uri), publisher)
    if str(proven.cid) != held.chosen_cid:
        return False
    await settling.confirm(
        publisher,
        held,
        revision=held.chosen_revision,
        uri=held.uri,
        cid=held.chosen_cid,
        body=held.chosen_body,
        rev=_rev(proven),
    )
    return True


async def absence(publisher: Publisher, uri: AtUri, rev: str | None = None) -> RecordMessage | None:
    """That there is no record, as a message of the rev of the commit that deleted it; without a rev it is proven.

    None where somebody has made another one since.
    """
    if rev is not None and uri.collection is not None and uri.rkey is not None:
        did = parse_did(uri.authority)
        return RecordMessage(
            did, uri.collection, uri.rkey, parse_tid(rev), Operation.DELETE, None, None, is_verified=True
        )
    message = await what_is_there(publisher, uri)
    return message if message.cid is None else None


async def what_is_there(publisher: Publisher, uri: AtUri) -> RecordMessage:
    """The record, or that there is none, proven and as a message of the rev of the repository's newest commit."""
    return _message_of(uri, await _prove(uri, publisher))


async def write(
    publisher: Publisher, client: XrpcClient, held: Publication, decision: PublishEvent | PublishRsvp
) -> None:
    """Make the repository agree with the present. Raises the failures of the calls; nothing is half done."""
    draft = await _draft(publisher, client, held, decision)
    if draft is None:
        return
    if draft.owes_nothing and draft.current is not None:
        await _agree(publisher, held, draft, draft.current)
    else:
        await _send(publisher, client, held, draft)


async def first_draft(publisher: Publisher, held: Publication, decision: PublishEvent | PublishRsvp) -> Draft | None:
    """The record of something that was never sent, checked; None where one may be there already.

    Nobody is asked for it: a create fails where something is under its key. Raises what ``write`` raises.
    """
    if held.uri is not None:
        return None
    uri, is_new = await _uri_for(publisher, held, decision, decision.identity.did)
    if isinstance(decision, PublishEvent):
        if not is_new:
            return None
        ours = publishable(
            decision.event, instance=publisher.instance, page_url=page_of(publisher.instance, decision.event)
        )
        draft = Draft(uri, decision.identity, None, write_event(ours, None), owes_nothing=False)
    else:
        async with publisher.db.reader() as reader:
            known = await seen.find(reader, str(uri))
        if known is not None and known.cid is not None:
            return None
        record = await _rsvp_record(publisher, decision, None)
        draft = Draft(uri, decision.identity, None, record, owes_nothing=False)
    _check(publisher, draft, seal_in_cbor(draft.record).body)
    return draft


async def _draft(
    publisher: Publisher, client: XrpcClient, held: Publication, decision: PublishEvent | PublishRsvp
) -> Draft | None:
    """The record to write; None when what is there must be ingested first."""
    uri, is_new = await _uri_for(publisher, held, decision, decision.identity.did)
    current = None if is_new else await get_record(client, uri)
    async with publisher.db.reader() as reader:
        known = await seen.find(reader, str(uri))
    if (None if current is None else current.cid) != (None if known is None else known.cid):
        # Changed or deleted by somebody else, and the stream has not brought it: merge first, write afterwards.
        await _hand_to_ingestion(publisher, held, uri)
        return None
    previous = None if current is None else current.record
    if isinstance(decision, PublishEvent):
        page = page_of(publisher.instance, decision.event)
        ours = publishable(decision.event, instance=publisher.instance, page_url=page)
        earlier = Earlier(agreed=_decoded(held.base_body), written=_decoded(held.chosen_body))
        settled = previous is not None and owes_nothing(ours, previous, earlier)
        return Draft(uri, decision.identity, current, write_event(ours, previous, earlier), settled)
    record = await _rsvp_record(publisher, decision, previous)
    return Draft(uri, decision.identity, current, record, record == previous)


async def _rsvp_record(
    publisher: Publisher, decision: PublishRsvp, previous: dict[str, Value] | None
) -> dict[str, Value]:
    return write_rsvp(
        decision.token,
        subject_uri=decision.event.record_uri or "",
        subject_cid=await _subject_cid(publisher, decision.event),
        now=publisher.network.clock.now(),
        previous=previous,
    )


def _decoded(body: bytes | None) -> dict[str, Value] | None:
    value = None if body is None else cbor.decode(body)
    return value if isinstance(value, dict) else None


async def _uri_for(
    publisher: Publisher, held: Publication, decision: PublishEvent | PublishRsvp, did: Did
) -> tuple[AtUri, bool]:
    """Where the record is or will be, and whether nothing can be there yet."""
    if held.uri is not None:
        return parse_at_uri(held.uri), False
    if isinstance(decision, PublishEvent):
        if decision.event.record_uri is not None and decision.event.record_did == did:
            return parse_at_uri(decision.event.record_uri), False
        key = publisher.tids.next(publisher.network.clock.now())
        return AtUri(did, EVENT, RecordKey(key)), True
    subject = parse_at_uri(decision.event.record_uri or "")
    async with publisher.db.reader() as reader:
        # Whatever key an earlier answer stands under, it is the one to change: never a second one.
        known = await seen.answers_of(reader, subject_uri=str(subject), dids=[did], collections=sorted(RSVPS))
    mine = next((one for one in known if one.collection == RSVP), None)
    if mine is not None:
        return parse_at_uri(mine.uri), False
    return AtUri(did, RSVP, RecordKey(record_key_for(subject))), False


async def _subject_cid(publisher: Publisher, event: Event) -> str:
    """The CID of the event's record: from our verified index, else proven by its author's PDS."""
    uri = event.record_uri or ""
    async with publisher.db.reader() as reader:
        known = await seen.find(reader, uri)
    if known is not None and known.cid is not None and known.is_verified:
        return known.cid
    proven = await _prove(parse_at_uri(uri), publisher)
    if proven.cid is None:
        raise RemoteFailed("The event's record cannot be found in its author's repository.")
    return str(proven.cid)


async def _send(publisher: Publisher, client: XrpcClient, held: Publication, draft: Draft) -> None:
    written = seal_in_cbor(draft.record)
    cid, uri = str(written.cid), str(draft.uri)
    _check(publisher, draft, written.body)
    wait = pause_seconds(client.pace, publisher.network.clock.now(), cost=WRITE_COST)
    if wait > 0:
        await settling.try_later(publisher, held, "The PDS asks for slower writes.", wait)
        return
    async with publisher.db.transaction() as tx:
        writes = await leases.fix(tx, held, did=draft.identity.did, uri=uri, cid=cid, body=written.body)
    if writes is None:
        return  # the lease is another payer's by now
    if writes > MAX_WRITES_PER_HOUR:
        log.error("publication.written_too_often", uri=uri, writes=writes)
        reason = "Another program keeps changing this record back."
        await settling.give_back(publisher, held, State.CONFLICTED, reason=reason)
        return
    try:
        stored = await put_record(
            client, draft.uri, written.record, swap=None if draft.current is None else draft.current.cid
        )
    except Conflict:
        await _after_conflict(publisher, held, draft.uri, cid, written.body)
        return
    await settle_stored(publisher, held, draft.uri, cid, written.body, stored)


async def settle_stored(
    publisher: Publisher, held: Publication, uri: AtUri, cid: str, body: bytes, stored: Stored
) -> None:
    """The PDS has answered a write of these bytes: its answer is noted, or what it really holds is read back."""
    if stored.cid == cid and stored.rev is not None and _is_rev(stored.rev, publisher.network.clock.now()):
        await settling.confirm(
            publisher, held, revision=held.revision, uri=str(uri), cid=cid, body=body, rev=stored.rev
        )
        return
    # No commit was made, since nothing changed, or the PDS stores something else than was sent: its bytes are the base,
    # or each comparison would fail. Or its rev is none: what is stored beside a record orders all that follows.
    proven = await _prove(uri, publisher)
    if proven.cid is None or proven.record is None:
        raise RemoteFailed("What the PDS stored cannot be read back.")
    await settling.confirm(
        publisher,
        held,
        revision=held.revision,
        uri=str(uri),
        cid=str(proven.cid),
        body=proven.record,
        rev=_rev(proven),
    )


def _is_rev(text: str, now: Instant) -> bool:
    try:
        check_rev(text, now)
    except verify.Refused:
        return False
    return True


def _check(publisher: Publisher, draft: Draft, body: bytes) -> None:
    if len(body) > MAX_RECORD_BYTES:
        raise Refused(f"The record would have more than {MAX_RECORD_BYTES} bytes.")
    if draft.current is not None:
        return  # what another app wrote need not be valid; we change our fields in it and leave judging to the PDS
    try:
        validate_record(publisher.catalog, str(draft.uri.collection), draft.record)
    except Malformed as wrong:
        raise Refused(f"The record would not be valid: {wrong.why}.") from wrong


async def _agree(publisher: Publisher, held: Publication, draft: Draft, current: Current) -> None:
    """The record says all of ours already: no write, and what is there is the base."""
    async with publisher.db.transaction() as tx:
        known = await seen.find(tx, str(draft.uri))
        if known is None:
            return  # cannot be: ``_draft`` found it; the lease ends and the row is looked at again
        await leases.attach_current(tx, held, did=draft.identity.did, uri=str(draft.uri))
        await settling.settle(
            tx,
            held,
            revision=held.revision,
            uri=str(draft.uri),
            cid=current.cid,
            body=current.body,
            rev=known.rev,
        )


async def _after_conflict(publisher: Publisher, held: Publication, uri: AtUri, cid: str, body: bytes) -> None:
    """Something else is there than we thought: perhaps our own bytes, from a send whose answer was lost."""
    proven = await _prove(uri, publisher)
    if str(proven.cid) == cid:
        await settling.confirm(
            publisher, held, revision=held.revision, uri=str(uri), cid=cid, body=body, rev=_rev(proven)
        )
    else:
        await _hand_to_ingestion(publisher, held, uri, proven)


async def _hand_to_ingestion(publisher: Publisher, held: Publication, uri: AtUri, proven: Proven | None = None) -> None:
    """Enqueue what the repository holds, with its proof, as a message of that rev; the debt is due after it."""
    # A round is one version merged. Coming back before ingestion has applied it is none: the row still says so.
    is_round = held.reason != CHANGED_ELSEWHERE
    if is_round and held.rounds + 1 > MAX_ROUNDS:
        reason = "The record changed again and again while we wrote."
        await settling.give_back(publisher, held, State.CONFLICTED, reason=reason)
        return
    await publisher.enqueue([_message_of(uri, proven or await _prove(uri, publisher))])
    due_at = Instant(publisher.network.clock.now() + INGESTED_AFTER)
    await settling.give_back(
        publisher, held, State.RETRYING, reason=CHANGED_ELSEWHERE, due_at=due_at, is_round=is_round
    )


def _message_of(uri: AtUri, proven: Proven) -> RecordMessage:
    if proven.commit.rev is None or uri.collection is None or uri.rkey is None:
        raise RemoteFailed("The repository is of an older version, without a rev.")
    is_gone = proven.cid is None or proven.record is None
    return RecordMessage(
        did=parse_did(uri.authority),
        collection=uri.collection,
        rkey=uri.rkey,
        rev=proven.commit.rev,
        operation=Operation.DELETE if is_gone else Operation.UPDATE,
        cid=None if is_gone else str(proven.cid),
        body=None if is_gone else proven.record,
        is_verified=True,
    )


async def _prove(uri: AtUri, publisher: Publisher) -> Proven:
    return await prove_record(publisher.network, parse_did(uri.authority), str(uri.collection), str(uri.rkey))


def _rev(proven: Proven) -> str:
    if proven.commit.rev is None:
        raise RemoteFailed("The repository is of an older version, without a rev.")
    return proven.commit.rev
