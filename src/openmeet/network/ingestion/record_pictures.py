"""Pictures in other people's records: fetched from their author's PDS on first view, re-encoded, and stored under their
CID.

Bytes from other servers are never served unchanged. The HTTP client reaches only public addresses (invariant 7), the
size is limited, and the bytes must match the CID.
"""

import asyncio
from collections import OrderedDict
from functools import partial
from typing import Final

from at_network.xrpc_client import XrpcClient
from at_protocol.data import cbor
from at_protocol.data.cid import Cid
from at_protocol.syntax.did import Did
from groundwork.blobstore.contract import BlobStore, put
from groundwork.clock import MINUTE, Instant
from groundwork.database.transaction import Reader
from groundwork.errors import Failure, NotFound
from groundwork.telemetry.logs import log
from groundwork.workers.pool import WorkerPool
from groundwork.workers.quota import QuotaHolder
from openmeet.domain.events.model import Event
from openmeet.domain.groups.model import Group
from openmeet.domain.media.pictures import MAX_UPLOAD_BYTES, PictureFormat, Size, prepare
from openmeet.network.ingestion.reasons import IngestionReason
from openmeet.network.records import seen
from openmeet.network.records.group import read_avatar
from openmeet.network.records.places import ParsedPicture, read_media
from openmeet.network.repositories.clients import NetworkClients

# How long a failed picture is not requested again, however often the page is opened.
ABSENT_FOR: Final = 10 * MINUTE
MAX_ABSENT: Final = 1_000
# Concurrent fetches. A picture takes megabytes, and tens of megabytes while it is re-encoded.
AT_ONCE: Final = 4


def blob_key(cid: str, size: Size, format_: PictureFormat) -> str:
    """Return the storage key of one file of a record's picture. ``cid``: CID of the blob in the record."""
    return f"record-pictures/{cid}-{size.value}.{format_.value}"


async def picture_of(reader: Reader, event: Event) -> ParsedPicture | None:
    """Return the picture that the event's record refers to; None if the event has its own picture here or has no
    record.
    """
    if event.content.picture is not None or event.record_uri is None:
        return None
    seen_record = await seen.find(reader, event.record_uri)
    value = None if seen_record is None or seen_record.body is None else cbor.decode(seen_record.body)
    return read_media(value) if isinstance(value, dict) else None


async def picture_of_group(reader: Reader, group: Group) -> ParsedPicture | None:
    """Return the picture that another app has put into a group's record; None if the group has its own picture here."""
    is_theirs = group.is_read_only or group.network.avatar_cid is not None
    if not is_theirs or group.network.record_uri is None:
        return None
    seen_record = await seen.find(reader, group.network.record_uri)
    value = None if seen_record is None or seen_record.body is None else cbor.decode(seen_record.body)
    return read_avatar(value) if isinstance(value, dict) else None


class RecordPictures:
    """Copies of the pictures that records refer to. Each is fetched once; after a failure it is not retried for a
    while.
    """

    def __init__(self, network: NetworkClients, store: BlobStore, workers: WorkerPool) -> None:
        self.store = store
        self._workers = workers
        self._network = network
        self._turns = asyncio.Semaphore(AT_ONCE)
        # By author and CID: anybody's record can name a CID that only the PDS of somebody else has.
        self._under_way: dict[tuple[Did, str], asyncio.Task[None]] = {}
        self._absent: OrderedDict[tuple[Did, str], Instant] = OrderedDict()

    async def ensure_stored(self, did: Did, cid: str, size: Size, format_: PictureFormat) -> None:
        """Fetch the picture unless this file of it is already stored. Raises NotFound if it is unavailable."""
        try:
            await self.store.size(blob_key(cid, size, format_))
        except NotFound:
            await self._fetch_once(did, cid)

    async def _fetch_once(self, did: Did, cid: str) -> None:
        now, key = self._network.clock.now(), (did, cid)
        if self._absent.get(key, Instant(0)) > now:
            raise NotFound(IngestionReason.NO_PICTURE)
        task = self._under_way.get(key)
        if task is None:
            task = self._under_way[key] = asyncio.create_task(self._fetch(did, cid))
            task.add_done_callback(lambda _done: self._under_way.pop(key, None))
        try:
            # A client that disconnects does not cancel the fetch for others who wait for it.
            await asyncio.shield(task)
        except Failure as failure:
            log.warning("record_picture.not_had", did=did, cid=cid, reason=failure.why)
            self._absent[key] = Instant(now + ABSENT_FOR)
            while len(self._absent) > MAX_ABSENT:
                self._absent.popitem(last=False)
            raise NotFound(IngestionReason.NO_PICTURE) from failure

    async def _fetch(self, did: Did, cid: str) -> None:
        async with self._turns:
            pds = (await self._network.dids.resolve(did)).pds
            if pds is None:
                raise NotFound(IngestionReason.NO_PDS)
            client = XrpcClient(self._network.http, self._network.clock, pds)
            response = await client.download(
                "com.atproto.sync.getBlob", {"did": did, "cid": cid}, max_bytes=MAX_UPLOAD_BYTES
            )
            if str(Cid.for_raw(response.body)) != cid:
                raise NotFound(IngestionReason.OTHER_BYTES)
            # The work counts against the author's quota, because the visitor of the page did not upload the picture.
            made = await self._workers.run(partial(prepare, response.body), holders=[QuotaHolder(f"did:{did}")])
        for (size, format_), body in made.bodies.items():
            await put(self.store, blob_key(cid, size, format_), body)
