"""Writes in flight: stored before they are sent (``publication_leases.store_before_sending``), removed when the row has the answer."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from at_protocol.failures import Malformed
from at_protocol.repo.proof import RecordProof
from at_protocol.sync import verify
from at_protocol.sync.verify import check_rev
from at_protocol.syntax.at_uri import AtUri, parse_at_uri
from at_protocol.syntax.did import parse_did
from at_protocol.syntax.tid import parse_tid
from groundwork.clock import Instant
from groundwork.errors import (
    Failure,
    InvalidInput,
    NotAsked,
    NotFound,
    NotSignedIn,
    RemoteFailed,
    RemoteSlow,
    Unavailable,
)
from groundwork.outbox.delivery import JobHandler
from groundwork.outbox.jobs import Job
from groundwork.telemetry.logs import log
from openmeet.domain.identities import queries as identity_queries
from openmeet.domain.identities.model import Identity
from openmeet.network.publishing import settle
from openmeet.network.publishing.publisher import Publisher
from openmeet.network.publishing.send import delete_version
from openmeet.network.records.message import RecordMessage, RecordOperation
from openmeet.network.repositories.agents import agent_for
from openmeet.network.repositories.read import prove_record
from openmeet.outbox import in_flight, publication_leases
from openmeet.outbox.in_flight import InFlightWrite, UnansweredWrites
from openmeet.outbox.reasons import PublicationReason

# After these errors the outcome is unknown: no response came, or it came from an intermediary.
_NO_ANSWER = (RemoteFailed, RemoteSlow, Unavailable)


@asynccontextmanager
async def until_answered(publisher: Publisher, writes: Sequence[InFlightWrite]) -> AsyncIterator[None]:
    """Wrap the request that sends these writes: if it is refused, they are no longer in flight.

    After a success they stay in flight until the row is updated (``settle.mark_published``): another worker may have abandoned
    the key since.
    """
    try:
        yield
    except NotAsked:
        await note_answered(publisher, writes)
        raise
    except _NO_ANSWER:
        raise
    except Failure:
        await note_answered(publisher, writes)
        raise


async def note_answered(publisher: Publisher, writes: Sequence[InFlightWrite]) -> None:
    """Remove writes that were answered, or were never sent."""
    if not writes:
        return
    async with publisher.db.transaction() as tx:
        for one in sorted(writes, key=lambda one: one.uri):
            await in_flight.answered(tx, one)


def abandoned_create_handler(publisher: Publisher) -> JobHandler:
    """The handler of ``JobKind.LATE_CREATE``; the subject of the job is the record's AT URI, its authority a DID."""

    async def handle(job: Job) -> None:
        try:
            uri = parse_at_uri(job.subject)
        except Malformed as wrong:
            raise InvalidInput("uri", wrong.why) from wrong
        await look(publisher, uri)

    return handle


async def look(publisher: Publisher, uri: AtUri) -> None:
    """Read what is under an abandoned key, and delete it if it is ours.

    Raises what the calls raise: then the job stays enqueued.
    """
    async with publisher.db.reader() as reader:
        doubt = await in_flight.of_uri(reader, str(uri))
        owned = await publication_leases.find_by_uri(reader, str(uri))
        # Read in the same transaction as the in-flight write, which is removed when its person disconnects the account:
        # nothing is deleted from a later owner's repository.
        identity = await identity_queries.find(reader, parse_did(uri.authority))
    if doubt is None or owned is not None:
        return  # a publication that has the key handles whatever arrives
    try:
        there = await what_is_there(publisher, uri)
    except NotFound:
        there = None  # no repository, or one that is not served at present: nobody can read the record there
    if there is not None and there.cid in doubt.cids:
        there = await _delete_late_create(publisher, identity, uri, there.cid)
        log.warning("publication.late_create_taken_away", uri=str(uri))
    await _note(publisher, uri, doubt, there)


async def _delete_late_create(
    publisher: Publisher, identity: Identity | None, uri: AtUri, cid: str
) -> RecordMessage | None:
    """Delete exactly this version; return its deletion as a message."""
    if identity is None or not identity.can_write:
        raise Unavailable(PublicationReason.OWNER_MUST_SIGN_IN_WITH_ACCOUNT)
    try:
        client = await agent_for(publisher.db, publisher.network, identity)
        rev = await delete_version(client, uri, cid)
    except NotSignedIn as refused:
        raise Unavailable(PublicationReason.OWNER_MUST_SIGN_IN) from refused
    return await absence(publisher, uri, rev)


async def _note(publisher: Publisher, uri: AtUri, doubt: UnansweredWrites, there: RecordMessage | None) -> None:
    """Remove the in-flight writes if they can no longer arrive, else check again later."""
    now = publisher.network.clock.now()
    async with publisher.db.transaction() as tx:
        if there is not None and there.cid is None:
            await settle.note_gone(tx, there)
        if now >= doubt.end_at:
            await in_flight.forget(tx, str(uri), before=Instant(doubt.last_sent_at))
        else:
            await in_flight.recheck(tx, str(uri), doubt)


async def absence(publisher: Publisher, uri: AtUri, rev: str | None = None) -> RecordMessage | None:
    """The absence of a record, as a message with the rev of the deleting commit; without a credible rev it is proven.

    None if somebody has created another record since.
    """
    is_believed = rev is not None and is_rev(rev, publisher.network.clock.now())
    if rev is not None and is_believed and uri.collection is not None and uri.rkey is not None:
        did = parse_did(uri.authority)
        return RecordMessage(
            did, uri.collection, uri.rkey, parse_tid(rev), RecordOperation.DELETE, None, None, is_verified=True
        )
    message = await what_is_there(publisher, uri)
    return message if message.cid is None else None


async def what_is_there(publisher: Publisher, uri: AtUri) -> RecordMessage:
    """The record or its absence, proven, as a message with the rev of the repository's newest commit."""
    return message_of(uri, await prove(uri, publisher))


async def prove(uri: AtUri, publisher: Publisher) -> RecordProof:
    """Prove what the repository has.

    Raises RemoteFailed also if its rev is in the future: it would take precedence over every change until then.
    """
    proven = await prove_record(publisher.network, parse_did(uri.authority), str(uri.collection), str(uri.rkey))
    if proven.commit.rev is not None and not is_rev(proven.commit.rev, publisher.network.clock.now()):
        raise RemoteFailed(PublicationReason.CLOCK_AHEAD)
    return proven


def message_of(uri: AtUri, proven: RecordProof) -> RecordMessage:
    """The proof as a message with its commit's rev. Raises RemoteFailed if the commit has none."""
    if proven.commit.rev is None or uri.collection is None or uri.rkey is None:
        raise RemoteFailed(PublicationReason.NO_REV)
    is_gone = proven.cid is None or proven.record is None
    return RecordMessage(
        did=parse_did(uri.authority),
        collection=uri.collection,
        rkey=uri.rkey,
        rev=proven.commit.rev,
        operation=RecordOperation.DELETE if is_gone else RecordOperation.UPDATE,
        cid=None if is_gone else str(proven.cid),
        body=None if is_gone else proven.record,
        is_verified=True,
        is_read=True,
    )


def rev_of(proven: RecordProof) -> str:
    """The rev of the commit that proves it. Raises RemoteFailed if it has none."""
    if proven.commit.rev is None:
        raise RemoteFailed(PublicationReason.NO_REV)
    return proven.commit.rev


def is_rev(text: str, now: Instant) -> bool:
    """Whether this is a plausible rev: a TID, and not in the future."""
    try:
        check_rev(text, now)
    except verify.MessageRejected:
        return False
    return True
