"""What a repository holds at an address, or that it holds nothing: proven, and as a message for ingestion."""

from at_protocol.repo.proof import Proven
from at_protocol.sync import verify
from at_protocol.sync.verify import check_rev
from at_protocol.syntax.at_uri import AtUri
from at_protocol.syntax.did import parse_did
from at_protocol.syntax.tid import parse_tid
from groundwork.clock import Instant
from groundwork.errors import RemoteFailed
from openmeet.network.publishing.publisher import Publisher
from openmeet.network.records.message import Operation, RecordMessage
from openmeet.network.repositories.read import prove_record


async def absence(publisher: Publisher, uri: AtUri, rev: str | None = None) -> RecordMessage | None:
    """That there is no record, as a message of the rev of the commit that deleted it; without one that can be believed it is proven.

    None where somebody has made another one since.
    """
    is_believed = rev is not None and is_rev(rev, publisher.network.clock.now())
    if rev is not None and is_believed and uri.collection is not None and uri.rkey is not None:
        did = parse_did(uri.authority)
        return RecordMessage(
            did, uri.collection, uri.rkey, parse_tid(rev), Operation.DELETE, None, None, is_verified=True
        )
    message = await what_is_there(publisher, uri)
    return message if message.cid is None else None


async def what_is_there(publisher: Publisher, uri: AtUri) -> RecordMessage:
    """The record, or that there is none, proven and as a message of the rev of the repository's newest commit."""
    return message_of(uri, await prove(uri, publisher))


async def prove(uri: AtUri, publisher: Publisher) -> Proven:
    """What the repository holds. Raises also RemoteFailed where its rev is of a time to come: believed, it would overrule all until then."""
    proven = await prove_record(publisher.network, parse_did(uri.authority), str(uri.collection), str(uri.rkey))
    if proven.commit.rev is not None and not is_rev(proven.commit.rev, publisher.network.clock.now()):
        raise RemoteFailed("The clock of the PDS is ahead of ours: its revs are of a time to come.")
    return proven


def message_of(uri: AtUri, proven: Proven) -> RecordMessage:
    """What was proven as a message of its commit's rev. Raises RemoteFailed where the commit has none."""
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
        is_read=True,
    )


def rev_of(proven: Proven) -> str:
    """Of the commit that it was proven by. Raises RemoteFailed where it has none."""
    if proven.commit.rev is None:
        raise RemoteFailed("The repository is of an older version, without a rev.")
    return proven.commit.rev


def is_rev(text: str, now: Instant) -> bool:
    """Whether a server may have said this of a commit: a TID, and of no time to come."""
    try:
        check_rev(text, now)
    except verify.Refused:
        return False
    return True
