"""List a repository's records of our collections, by ``listRecords``.

A listing is as of the rev that ``getLatestCommit`` returned before the first page, so that later changes are newer.
Listings are unsigned: each record is proven before it is applied (``record_proofs``). Their content is kept up to a limit,
so that a record whose CID was proven need not be downloaded again.
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
from openmeet.network.ingestion.host_budgets import SpendOnHost, spend_on_home, unlimited
from openmeet.network.ingestion.reasons import IngestionReason
from openmeet.network.records.collections import READ_IN_ORDER
from openmeet.network.repositories.clients import NetworkClients
from openmeet.network.repositories.read import not_served
from openmeet.network.repositories.reasons import RepositoryReason

PAGE = 100
# A hundred records of 1 MB would be a rare page; a larger one is abuse.
MAX_PAGE_BYTES = 32_000_000
# Ten thousand records of one collection: a bot's calendar. The rest is not read.
MAX_PAGES = 100
# Of the records of one repository: thousands of usual size. What is beyond is downloaded with its proof.
MAX_KEPT_BYTES = 4_000_000


@dataclass(frozen=True, slots=True)
class Listing:
    """CIDs by URI, as of ``rev``: events before RSVPs to them.

    ``records``: the encoded records of some of them, whose CIDs are the ones that are listed.
    """

    rev: Tid
    cids: Mapping[str, str]
    records: Mapping[str, bytes] = field(default_factory=dict)


async def list_records(
    network: NetworkClients, did: Did, collections: Collection[Nsid], spend_on_host: SpendOnHost = unlimited
) -> Listing:
    """What a repository has in these collections.

    Raises NotFound (not served), RemoteFailed (invalid response, or more records than are read), RemoteSlow, and
    TooMany if the budget of the host is spent.
    """
    document = await network.dids.resolve(did)
    if document.pds is None:
        raise NotFound(RepositoryReason.NO_PDS, did=did)
    client = XrpcClient(network.http, network.clock, document.pds, circuits=network.circuits)
    cids: dict[str, str] = {}
    kept: dict[str, bytes] = {}
    room = MAX_KEPT_BYTES
    try:
        await spend_on_home(network, spend_on_host, did)
        latest = await client.query("com.atproto.sync.getLatestCommit", {"did": did})
        rev = parse_tid(str(latest.get("rev")))
        held = await _held_collections(client, did)
        for collection in READ_IN_ORDER:
            if collection not in collections or (held is not None and collection not in held):
                continue
            async for uri, cid, value in _of_collection(client, did, collection, network, spend_on_host):
                cids[uri] = cid
                record = _encoded(value, cid) if room > 0 else None
                if record is not None and len(record) <= room:
                    kept[uri] = record
                    room -= len(record)
    except Malformed as wrong:
        raise RemoteFailed(IngestionReason.UNREADABLE_RECORDS, did=did, what=wrong.kind) from wrong
    except Refused as refused:
        raise not_served(refused) from refused
    return Listing(rev, cids, kept)


async def _held_collections(client: XrpcClient, did: Did) -> set[str] | None:
    """The existing collections, so that empty ones are skipped; None if the server does not say."""
    try:
        held = (await client.query("com.atproto.repo.describeRepo", {"repo": did})).get("collections")
    except (InvalidInput, NotFound, Refused, RemoteFailed) as unsaid:
        log.info("repository.not_described", did=did, reason=unsaid.why)
        return None
    return {one for one in held if isinstance(one, str)} if isinstance(held, list) else None


async def _of_collection(
    client: XrpcClient, did: Did, collection: Nsid, network: NetworkClients, spend_on_host: SpendOnHost
) -> AsyncIterator[tuple[str, str, Value]]:
    cursor: str | None = None
    for _ in range(MAX_PAGES):
        await spend_on_home(network, spend_on_host, did)
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
    """The record as the repository has it, if its value is complete: JSON cannot say everything that a record may hold."""
    if not isinstance(value, dict):
        return None
    try:
        encoded = cbor.encode(value)
    except Malformed:
        return None
    return encoded if str(Cid.for_cbor(encoded)) == cid else None
