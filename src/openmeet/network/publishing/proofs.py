"""The content of a repository under a URI, proven by its PDS, as messages for ingestion."""

from at_protocol.repo.proof import RecordProof
from at_protocol.sync import verify
from at_protocol.sync.verify import check_rev
from at_protocol.syntax.at_uri import AtUri
from at_protocol.syntax.did import parse_did
from at_protocol.syntax.tid import parse_tid
from groundwork.clock import Instant
from groundwork.errors import RemoteFailed
from openmeet.network.publishing.publisher import Publisher
from openmeet.network.records.message import RecordMessage, RecordOperation
from openmeet.network.repositories.read import prove_record
from openmeet.outbox.reasons import PublicationReason


async def deletion_of(publisher: Publisher, uri: AtUri, rev: str | None = None) -> RecordMessage | None:
    """Return the deletion of a record as a message, with the ``rev`` of the deleting commit. Without a plausible rev,
    the deletion is proven first.

    None if somebody has created another record since.
    """
    is_plausible = rev is not None and is_plausible_rev(rev, publisher.network.clock.now())
    if rev is not None and is_plausible and uri.collection is not None and uri.rkey is not None:
        did = parse_did(uri.authority)
        return RecordMessage(
            did, uri.collection, uri.rkey, parse_tid(rev), RecordOperation.DELETE, None, None, is_verified=True
        )
    message = await fetch_proven_message(publisher, uri)
    return message if message.cid is None else None


async def fetch_proven_message(publisher: Publisher, uri: AtUri) -> RecordMessage:
    """Prove and return the record or its absence, as a message with the rev of the repository's newest commit."""
    return message_of(uri, await fetch_proof(publisher, uri))


async def fetch_proof(publisher: Publisher, uri: AtUri) -> RecordProof:
    """Prove what the repository has under a URI.

    Also raises RemoteFailed if the rev is in the future, because it would take precedence over every change until then.
    """
    proven = await prove_record(publisher.network, parse_did(uri.authority), str(uri.collection), str(uri.rkey))
    if proven.commit.rev is not None and not is_plausible_rev(proven.commit.rev, publisher.network.clock.now()):
        raise RemoteFailed(PublicationReason.CLOCK_AHEAD)
    return proven


def message_of(uri: AtUri, proven: RecordProof) -> RecordMessage:
    """Return the proof as a message with its commit's rev. Raises RemoteFailed if the commit has none."""
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
    """Return the rev of the commit that a proof refers to. Raises RemoteFailed if it has none."""
    if proven.commit.rev is None:
        raise RemoteFailed(PublicationReason.NO_REV)
    return proven.commit.rev


def is_plausible_rev(text: str, now: Instant) -> bool:
    """Whether this is a plausible rev: a TID that is not in the future."""
    try:
        check_rev(text, now)
    except verify.MessageRejected:
        return False
    return True
