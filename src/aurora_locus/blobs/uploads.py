"""Blob upload: hashed, measured and sniffed while it streams to disk; the row is inserted when it is complete.

The file is in place before its row exists, and removed after its row is deleted, both under the account's lock: every row has
its file. Files without a row (a crash in between) are removed by the sweep. The quota is counted in the transaction that
inserts the row, under a database lock: concurrent uploads do not exceed it together.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterable, Sequence
from contextvars import Context
from dataclasses import dataclass

from at_protocol.data.blob_ref import BlobRef
from at_protocol.data.cid import Cid
from at_protocol.syntax.did import Did
from aurora_locus.blobs import queries, quotas, removals
from aurora_locus.blobs.locks import Locks
from aurora_locus.blobs.media_type import declared_type, sniff
from groundwork.blobstore.contract import BlobStore
from groundwork.clock import Instant
from groundwork.database.transaction import Database, Writer
from groundwork.errors import Failure, InvalidInput, Refused, TooLarge
from groundwork.telemetry.logs import log

# Enough bytes for every known signature.
_SNIFFED_BYTES = 512

QUARANTINE = "quarantine"


@dataclass(frozen=True, slots=True)
class UploadLimits:
    """Limits of uploads: ``max_blob_bytes`` of one, ``quota_bytes`` of all blobs of one account."""

    max_blob_bytes: int = 5 * 1024 * 1024
    quota_bytes: int = 5 * 1024 * 1024 * 1024


class BlobService:
    """The blobs of this process; ``locks`` are shared with the repositories."""

    def __init__(self, db: Database, store: BlobStore, limits: UploadLimits) -> None:
        self.db = db
        self.store = store
        self.limits = limits
        self.locks = Locks()
        self._removals: set[asyncio.Task[None]] = set()

    def remove_files_soon(self, did: Did, cids: Iterable[Cid]) -> None:
        """Remove the files of deleted blobs in the background: no response waits for it, and it has no transaction or request
        as context.
        """
        removal = asyncio.get_running_loop().create_task(self._remove_files(did, list(cids)), context=Context())
        self._removals.add(removal)
        removal.add_done_callback(self._removals.discard)

    async def wait_for_removals(self) -> None:
        """Wait until no removal is running (at shutdown)."""
        await asyncio.gather(*self._removals)

    async def _remove_files(self, did: Did, cids: list[Cid]) -> None:
        try:
            async with self.locks.hold(did):
                await self.remove_due(did, cids)
        except Failure as failure:
            # The removal stays queued: the sweep retries it.
            log.warning("blob.removal_failed", did=did, kind=type(failure).__name__)

    async def remove_due(self, did: Did, cids: Sequence[Cid]) -> int:
        """Remove those of the files that are queued and unclaimed; returns how many."""

        def work(w: Writer) -> tuple[list[Cid], Instant]:
            return removals.claim(w, did, cids), w.now

        claimed, at = await self.db.write(work)
        for cid in claimed:
            await self.store.delete(object_name(did, cid))
            await self.store.delete(quarantine_name(did, cid))
        if claimed:
            await self.db.write(lambda w: removals.done(w, did, claimed, at))
        return len(claimed)


def object_name(did: Did, cid: Cid) -> str:
    """Key of a blob in the store. Only a did:web with a port has a percent sign, which is not allowed in a key."""
    return f"{did.replace('%', '_')}/{cid}"


def quarantine_name(did: Did, cid: Cid) -> str:
    """Key of a blob while it is taken down: a server of the plain store folder does not find it."""
    return f"{QUARANTINE}/{object_name(did, cid)}"


async def upload(
    blobs: BlobService, did: Did, body: AsyncIterator[bytes], *, content_type: str | None, content_length: int | None
) -> BlobRef:
    """Receive one blob; returns the reference to put into a record.

    ``content_length`` is the announced length. Raises TooLarge while receiving, InvalidInput if the number of bytes differs
    from the announced one, Refused for a blob that was taken down or a full account; nothing is then kept.
    """
    limit = blobs.limits.max_blob_bytes
    if content_length is not None and content_length > limit:
        raise _too_large(limit)
    digest = hashlib.sha256()
    beginning = b""
    size = 0
    async with blobs.store.upload() as receiving:
        async for chunk in body:
            if not chunk:
                continue
            size += len(chunk)
            if size > limit:
                raise _too_large(limit)
            digest.update(chunk)
            if len(beginning) < _SNIFFED_BYTES:
                beginning += chunk[: _SNIFFED_BYTES - len(beginning)]
            await receiving.write(chunk)
        if content_length is not None and size != content_length:
            raise InvalidInput("", f"{size} bytes came, Content-Length announced {content_length}.")
        cid = Cid(b"\x01\x55\x12\x20" + digest.digest())
        mime_type = sniff(beginning) or declared_type(content_type)
        async with blobs.locks.hold(did):
            known = await queries.find(blobs.db, did, cid)
            if known is not None and known.is_taken_down:
                raise Refused("This blob was taken down and cannot be uploaded again.", name="BlobTakendown")
            if known is None:
                # Before the store keeps what does not fit; counted again in the transaction.
                await quotas.require_room(blobs.db, did, size, blobs.limits.quota_bytes)
            await receiving.keep(object_name(did, cid))
            try:
                stored = await blobs.db.write(lambda w: _store(w, blobs.limits, did, cid, mime_type, size))
            except BaseException:
                await asyncio.shield(_leave(blobs, did, cid))
                raise
    return BlobRef(cid, stored.mime_type, stored.size)


def _store(w: Writer, limits: UploadLimits, did: Did, cid: Cid, mime_type: str, size: int) -> queries.BlobRow:
    quotas.take_room(w, did, cid, size, limits.quota_bytes)
    removals.take_back(w, did, cid)
    stored = queries.put(w, did, cid, mime_type, size)
    if stored.is_taken_down:  # taken down since the check
        raise Refused("This blob was taken down and cannot be uploaded again.", name="BlobTakendown")
    return stored


async def _leave(blobs: BlobService, did: Did, cid: Cid) -> None:
    """A file was stored but its row was not inserted; it is removed, unless there is a row after all (the claim checks)."""
    try:
        await blobs.db.write(lambda w: removals.enqueue(w, did, [cid]))
    except Failure:
        return  # the database is unavailable: the sweep finds a file without a row
    blobs.remove_files_soon(did, [cid])


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"The blob is larger than the {limit} bytes allowed here.", name="PayloadTooLarge")
