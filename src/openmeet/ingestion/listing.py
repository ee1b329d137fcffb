"""Chosen collections of a repository that cannot be read whole, by ``listRecords``; and who has records of them, on a host.

Nothing listed is signed: what comes of it counts as unverified. It is as of the revision that ``getLatestCommit`` named
before the first page, so that whatever happened meanwhile is newer. A record must have the CID that it is listed under.
"""

from collections.abc import AsyncIterator, Iterable

from at_network.xrpc_client import XrpcClient
from at_protocol.data import cbor, json_form
from at_protocol.data.cid import Cid
from at_protocol.data.model import Value
from at_protocol.failures import Malformed
from at_protocol.syntax.at_uri import parse_at_uri
from at_protocol.syntax.did import Did, parse_did
from at_protocol.syntax.nsid import Nsid
from at_protocol.syntax.tid import Tid, parse_tid
from groundwork.errors import NotFound, RemoteFailed
from groundwork.telemetry.logs import log
from openmeet.identities.network import Network
from openmeet.records.message import Operation, RecordMessage

PAGE = 100
HOST_PAGE = 1000
# A hundred records of 1 MB would be a rare page; what is larger is somebody's mischief.
MAX_PAGE_BYTES = 32_000_000
# Ten thousand records of one collection: a robot's calendar. The rest is not read.
MAX_PAGES = 100


async def list_records(network: Network, did: Did, collections: Iterable[Nsid]) -> tuple[Tid, list[RecordMessage]]:
    """The revision as of which the read counts, and every record of these collections, in their order.

    Raises NotFound (not served), RemoteFailed (nonsense, or more records than are read) and RemoteSlow.
    """
    document = await network.dids.resolve(did)
    if document.pds is None:
        raise NotFound(f"{did} names no PDS.")
    client = XrpcClient(network.http, network.clock, document.pds)
    try:
        rev = parse_tid(str((await client.query("com.atproto.sync.getLatestCommit", {"did": did})).get("rev")))
        messages = [
            message for collection in collections async for message in _of_collection(client, did, collection, rev)
        ]
    except Malformed as wrong:
        raise RemoteFailed(f"The records of {did} cannot be read: {wrong.why}.") from wrong
    return rev, messages


async def _of_collection(client: XrpcClient, did: Did, collection: Nsid, rev: Tid) -> AsyncIterator[RecordMessage]:
    cursor: str | None = None
    for _ in range(MAX_PAGES):
        answer = await client.download(
            "com.atproto.repo.listRecords",
            {"repo": did, "collection": collection, "limit": PAGE, "cursor": cursor},
            max_bytes=MAX_PAGE_BYTES,
        )
        page = json_form.decode_object(answer.body)
        records = page.get("records")
        if not isinstance(records, list):
            raise Malformed("page", records, "it has no list of records")
        for one in records:
            try:
                yield _message(one, did, collection, rev)
            except Malformed as wrong:
                log.warning("record.rejected", did=did, collection=collection, reason=wrong.why)
        following = page.get("cursor")
        if not records or not isinstance(following, str) or following == cursor:
            return
        cursor = following
    raise RemoteFailed(f"{did} has more than {MAX_PAGES * PAGE} records in {collection}; none are read.")


def _message(listed: Value, did: Did, collection: Nsid, rev: Tid) -> RecordMessage:
    if not isinstance(listed, dict):
        raise Malformed("record", listed, "not an object")
    uri = parse_at_uri(str(listed.get("uri")))
    body = cbor.encode(listed.get("value"))
    cid = str(Cid.for_cbor(body))
    if uri.authority != did or uri.collection != collection or uri.rkey is None:
        raise Malformed("record", str(uri), "listed under another repository or collection")
    if cid != listed.get("cid"):
        raise Malformed("record", str(uri), "the CID is not the record’s")
    return RecordMessage(did, collection, uri.rkey, rev, Operation.UPDATE, cid, body, is_verified=False, is_read=True)


async def authors_on(network: Network, host: str, collection: Nsid) -> AsyncIterator[Did]:
    """Who has records of a collection, as the host at this origin says. Raises RemoteFailed, RemoteSlow, Refused."""
    client = XrpcClient(network.http, network.clock, host)
    cursor: str | None = None
    while True:
        page = await client.query(
            "com.atproto.sync.listReposByCollection",
            {"collection": collection, "limit": HOST_PAGE, "cursor": cursor},
        )
        found = page.get("repos")
        if not isinstance(found, list):
            raise RemoteFailed(f"{host} does not say who has records of {collection}.")
        for one in found:
            try:
                yield parse_did(str(one.get("did")) if isinstance(one, dict) else "")
            except Malformed as wrong:
                log.warning("repository.rejected", host=host, reason=wrong.why)
        following = page.get("cursor")
        if not found or not isinstance(following, str) or following == cursor:
            return
        cursor = following
