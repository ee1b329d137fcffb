"""Blob upload: bytes are hashed, counted and sniffed while they stream to disk; the row is inserted when all have
arrived.

The file is stored before its row exists, and removed after its row is deleted, both under the account's lock, so every
row has its file. The sweep removes files without a row, which a crash can leave. The quota is checked in the
transaction that inserts the row, under a database lock, so concurrent uploads cannot exceed it together.
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
from groundwork.errors import Failure, InvalidInput, Refused, TooLarge, Unavailable
from groundwork.telemetry.logs import log

# An account can have a hundred thousand blobs. Removing this many files takes far less time than a claim lasts.
_REMOVED_AT_ONCE = 200

# A store that is unavailable fails for every file, perhaps after a long time-out.
_MAX_FAILED_IN_A_ROW = 20

# Enough bytes for every known signature.
_SNIFFED_BYTES = 512

QUARANTINE = "quarantine"


@dataclass(frozen=True, slots=True)
class UploadLimits:
    """Limits of uploads: ``max_blob_bytes`` applies to one blob, ``quota_bytes`` to all blobs of one account."""

    max_blob_bytes: int = 5 * 1024 * 1024
    quota_bytes: int = 5 * 1024 * 1024 * 1024


class BlobService:
    """The blobs of this process. ``locks`` are shared with the repositories."""

    def __init__(self, db: Database, store: BlobStore, limits: UploadLimits) -> None:
        self.db = db
        self.store = store
        self.limits = limits
        self.locks = Locks()
        self._removals: set[asyncio.Task[None]] = set()
        self._failed_in_a_row = 0

    def remove_files_soon(self, did: Did, cids: Iterable[Cid]) -> None:
        """Remove the files of deleted blobs in the background. No response waits for it, and it does not run in the
        transaction or request that caused it.
        """
        removal = asyncio.get_running_loop().create_task(self._remove_files(did, list(cids)), context=Context())
        self._removals.add(removal)
        removal.add_done_callback(self._removals.discard)

    async def wait_for_removals(self) -> None:
        """Wait until no removal is running (at shutdown)."""
        await asyncio.gather(*self._removals)

    async def _remove_files(self, did: Did, cids: list[Cid]) -> None:
        try:
            for start in range(0, len(cids), _REMOVED_AT_ONCE):
                async with self.locks.hold(did):
                    await self.remove_due(did, cids[start : start + _REMOVED_AT_ONCE])
        except Failure as failure:
            # The removal is still queued, so the sweep retries it.
            log.warning("blob.removal_failed", did=did, kind=type(failure).__name__)

    async def remove_due(self, did: Did, cids: Sequence[Cid]) -> int:
        """Remove those of these files, at most a few hundred, that are queued and unclaimed. The caller holds the
        account's lock. Return how many.

        A file that cannot be removed goes to the end of the queue. Raises Unavailable if the last files in a row could
        not be removed, because then the store is probably unavailable.
        """

        def work(w: Writer) -> tuple[list[Cid], Instant]:
            return removals.claim(w, did, cids), w.now

        claimed, at = await self.db.write(work)
        if not claimed:
            return 0
        removed, failed = await self._remove_claimed(did, claimed)
        await self.db.write(lambda w: removals.settle(w, did, removed, failed, at))
        if self._failed_in_a_row >= _MAX_FAILED_IN_A_ROW:
            self._failed_in_a_row = 0
            raise Unavailable("The blob store does not remove files at the moment.")
        return len(removed)

    async def _remove_claimed(self, did: Did, claimed: Sequence[Cid]) -> tuple[list[Cid], list[Cid]]:
        removed, failed = [], []
        for cid in claimed:
            try:
                await self.store.delete(object_name(did, cid))
                await self.store.delete(quarantine_name(did, cid))
            except Exception as error:  # noqa: BLE001 - an edge: one file that cannot be removed must not block others
                log.warning("blob.not_removed", did=did, cid=str(cid), kind=type(error).__name__, why=str(error))
                failed.append(cid)
                self._failed_in_a_row += 1
                if self._failed_in_a_row >= _MAX_FAILED_IN_A_ROW:
                    break
            else:
                removed.append(cid)
                self._failed_in_a_row = 0
        return removed, failed


def object_name(did: Did, cid: Cid) -> str:
    """Return the key of a blob in the store. Only a did:web with a port contains a percent sign, which keys may not
    contain.
    """
    return f"{did.replace('%', '_')}/{cid}"


def quarantine_name(did: Did, cid: Cid) -> str:
    """Return the key of a blob while it is taken down. A web server that serves the store's folder directly does not
    find it there.
    """
    return f"{QUARANTINE}/{object_name(did, cid)}"


async def upload(
    blobs: BlobService, did: Did, body: AsyncIterator[bytes], *, content_type: str | None, content_length: int | None
) -> BlobRef:
    """Receive one blob and return the reference to put into a record.

    ``content_length`` is the announced length. Raises TooLarge while receiving, InvalidInput if the number of bytes
    differs from the announced one, Refused for a blob that was taken down or if the account's quota is full. In all
    these cases nothing is stored.
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
            raise InvalidInput("", f"{size} bytes were received, but Content-Length is {content_length}.")
        cid = Cid(b"\x01\x55\x12\x20" + digest.digest())
        mime_type = sniff(beginning) or declared_type(content_type)
        async with blobs.locks.hold(did):
            existing = await queries.find(blobs.db, did, cid)
            if existing is not None and existing.is_taken_down:
                raise Refused("This blob was taken down and cannot be uploaded again.", name="BlobTakendown")
            if existing is None:
                # Checked early, to avoid storing bytes that would be refused; the transaction checks it again.
                await quotas.require_room(blobs.db, did, size, blobs.limits.quota_bytes)
            await receiving.keep(object_name(did, cid))
            try:
                blob_row = await blobs.db.write(lambda w: _store(w, blobs.limits, did, cid, mime_type, size))
            except BaseException:
                await asyncio.shield(_leave(blobs, did, cid))
                raise
    return BlobRef(cid, blob_row.mime_type, blob_row.size)


def _store(w: Writer, limits: UploadLimits, did: Did, cid: Cid, mime_type: str, size: int) -> queries.BlobRow:
    quotas.take_room(w, did, cid, size, limits.quota_bytes)
    removals.cancel_removal(w, did, cid)
    blob_row = queries.put(w, did, cid, mime_type, size)
    if blob_row.is_taken_down:  # it was taken down after the check
        raise Refused("This blob was taken down and cannot be uploaded again.", name="BlobTakendown")
    return blob_row


async def _leave(blobs: BlobService, did: Did, cid: Cid) -> None:
    """Remove a file that was stored but whose row was not inserted. If a row exists after all, the claim detects it."""
    try:
        await blobs.db.write(lambda w: removals.enqueue(w, did, [cid]))
    except Failure:
        return  # the database is unavailable; the sweep will find a file without a row
    blobs.remove_files_soon(did, [cid])


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"The blob is larger than the {limit} bytes allowed here.", name="PayloadTooLarge")
