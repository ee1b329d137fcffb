"""List a repository's records in our collections, using ``listRecords``.

A listing is as of the rev that ``getLatestCommit`` returned before the first page, so that later changes are newer.
Listings are unsigned, so each record is verified before it is applied (``record_proofs``). Record contents are kept up to
a limit, so that a record whose CID was verified does not have to be downloaded again.
"""

from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass, field

from at_network.xrpc_client import XrpcClient
from at_protocol.data import cbor, json_form
from at_protocol.data.cid import Cid
from at_protocol.data.model import Value
from at_protocol.failures import Malformed
from at_protocol.syntax.at_uri import parse_at_uri
from at_protocol.syntax.did import Did
from at_protocol.syntax.nsid import Nsid
from at_protocol.syntax.tid import Tid, parse_tid
from groundwork.errors import InvalidInput, NotFound, Refused, RemoteFailed
from groundwork.telemetry.logs import log
from openmeet.network.ingestion.reasons import IngestionReason
from openmeet.network.ingestion.server_budgets import SpendOnServer, spend_on_pds, unlimited
from openmeet.network.records.collections import READ_IN_ORDER
from openmeet.network.repositories.clients import NetworkClients
from openmeet.network.repositories.read import not_served
from openmeet.network.repositories.reasons import RepositoryReason

PAGE = 100
# A page has at most a hundred records, and records of 1 MB are rare. A larger page is abuse.
MAX_PAGE_BYTES = 32_000_000
# Ten thousand records of one collection: a bot's calendar. A repository with more is not read.
MAX_PAGES = 100
# Per repository: thousands of records of the usual size. Further records are downloaded with their proofs.
MAX_KEPT_BYTES = 4_000_000


@dataclass(frozen=True, slots=True)
class Listing:
    """What a repository has in some collections: CIDs by URI, as of ``rev``, with events before RSVPs to them.

    ``records``: the encoded contents of some of the records; each matches the listed CID.
    """

    did: Did
    collections: Collection[Nsid]
    rev: Tid
    cids: Mapping[str, str]
    records: Mapping[str, bytes] = field(default_factory=dict)


async def list_records(
    network: NetworkClients, did: Did, collections: Collection[Nsid], spend_on_server: SpendOnServer = unlimited
) -> Listing:
    """List what a repository has in these collections.

    Raises NotFound (not served), RemoteFailed (invalid response, or too many records), RemoteSlow, and TooMany if the
    budget of the server is spent.
    """
    document = await network.dids.resolve(did)
    if document.pds is None:
        raise NotFound(RepositoryReason.NO_PDS, did=did)
    client = XrpcClient(network.http, network.clock, document.pds, circuits=network.circuits)
    cids: dict[str, str] = {}
    records_by_uri: dict[str, bytes] = {}
    room = MAX_KEPT_BYTES
    try:
        await spend_on_pds(network, spend_on_server, did)
        latest = await client.query("com.atproto.sync.getLatestCommit", {"did": did})
        rev = parse_tid(str(latest.get("rev")))
        collection_names = await _held_collections(client, did)
        for collection in READ_IN_ORDER:
            if collection not in collections or (collection_names is not None and collection not in collection_names):
                continue
            async for uri, cid, value in _of_collection(client, did, collection, network, spend_on_server):
                cids[uri] = cid
                record = _encoded(value, cid) if room > 0 else None
                if record is not None and len(record) <= room:
                    records_by_uri[uri] = record
                    room -= len(record)
    except Malformed as wrong:
        raise RemoteFailed(IngestionReason.UNREADABLE_RECORDS, did=did, what=wrong.kind) from wrong
    except Refused as refused:
        raise not_served(refused) from refused
    return Listing(did, collections, rev, cids, records_by_uri)


async def _held_collections(client: XrpcClient, did: Did) -> set[str] | None:
    """Return the existing collections, so that empty ones can be skipped; None if the server does not say."""
    try:
        collections = (await client.query("com.atproto.repo.describeRepo", {"repo": did})).get("collections")
    except (InvalidInput, NotFound, Refused, RemoteFailed) as unsaid:
        log.info("repository.not_described", did=did, reason=unsaid.why)
        return None
    return {one for one in collections if isinstance(one, str)} if isinstance(collections, list) else None


async def _of_collection(
    client: XrpcClient, did: Did, collection: Nsid, network: NetworkClients, spend_on_server: SpendOnServer
) -> AsyncIterator[tuple[str, str, Value]]:
    cursor: str | None = None
    for _ in range(MAX_PAGES):
        await spend_on_pds(network, spend_on_server, did)
        response = await client.download(
            "com.atproto.repo.listRecords",
            {"repo": did, "collection": collection, "limit": PAGE, "cursor": cursor},
            max_bytes=MAX_PAGE_BYTES,
        )
        page = json_form.decode_object(response.body)
        records = page.get("records")
        if not isinstance(records, list):
            raise Malformed("page", records, "it has no list of records")
        for one in records:
            try:
                yield _listed(one, did, collection)
            except Malformed as wrong:
                log.warning("record.rejected", did=did, collection=collection, reason=wrong.why)
        following = page.get("cursor")
        if not records or not isinstance(following, str) or following == cursor:
            return
        cursor = following
    raise RemoteFailed(IngestionReason.TOO_MANY_RECORDS, did=did, most=MAX_PAGES * PAGE, collection=collection)


def _listed(listed: Value, did: Did, collection: Nsid) -> tuple[str, str, Value]:
    if not isinstance(listed, dict):
        raise Malformed("record", listed, "not an object")
    uri, cid = parse_at_uri(str(listed.get("uri"))), listed.get("cid")
    if uri.authority != did or uri.collection != collection or uri.rkey is None:
        raise Malformed("record", str(uri), "listed under another repository or collection")
    if not isinstance(cid, str):
        raise Malformed("record", str(uri), "it has no CID")
    return str(uri), cid, listed.get("value")


def _encoded(value: Value, cid: str) -> bytes | None:
    """Return the record in encoded form, or None if its JSON value is not exact: JSON cannot express everything that a
    record may contain.
    """
    if not isinstance(value, dict):
        return None
    try:
        encoded = cbor.encode(value)
    except Malformed:
        return None
    return encoded if str(Cid.for_cbor(encoded)) == cid else None
