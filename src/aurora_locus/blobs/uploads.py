"""Receiving a blob: hashed, measured and sniffed while it streams to disk, a row when it is whole.

The file is in place before its row exists, and removed after its row is gone, both under the account's lock: a row never
lacks its file. Files without a row (a crash in between) are garbage for the sweep.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterable
from contextvars import Context
from dataclasses import dataclass

from at_protocol.data.blob_ref import BlobRef
from at_protocol.data.cid import Cid
from at_protocol.syntax.did import Did
from aurora_locus.blobs import queries
from aurora_locus.blobs.locks import Locks
from aurora_locus.blobs.media_type import declared_type, sniff
from groundwork.blobstore.contract import BlobStore
from groundwork.database.transaction import Database
from groundwork.errors import InvalidInput, Refused, TooLarge

# Enough for every signature that is looked for.
_SNIFFED_BYTES = 512


@dataclass(frozen=True, slots=True)
class Limits:
    """``max_blob_bytes`` of one upload; ``quota_bytes`` of all blobs of one account."""

    max_blob_bytes: int = 5 * 1024 * 1024
    quota_bytes: int = 5 * 1024 * 1024 * 1024


class Blobs:
    """The blobs of this process; ``locks`` are also those of the repositories."""

    def __init__(self, db: Database, store: BlobStore, limits: Limits) -> None:
        self.db = db
        self.store = store
        self.limits = limits
        self.locks = Locks()
        self._removals: set[asyncio.Task[None]] = set()

    def remove_files_soon(self, did: Did, cids: Iterable[Cid]) -> None:
        """Remove the files of blobs whose rows are gone, in the background: nobody's answer waits for it, and no
        transaction or request is its context.
        """
        removal = asyncio.get_running_loop().create_task(self._remove_files(did, list(cids)), context=Context())
        self._removals.add(removal)
        removal.add_done_callback(self._removals.discard)

    async def settle(self) -> None:
        """Return when no removal is under way (stopping)."""
        await asyncio.gather(*self._removals)

    async def _remove_files(self, did: Did, cids: list[Cid]) -> None:
        async with self.locks.hold(did):
            kept = await queries.existing(self.db, did, cids)
            for cid in cids:
                if cid not in kept:  # else it was uploaded again meanwhile
                    await self.store.delete(object_name(did, cid))


def object_name(did: Did, cid: Cid) -> str:
    """Where a blob is in the store. Only a did:web with a port has a percent sign, which is none of a key's characters."""
    return f"{did.replace('%', '_')}/{cid}"


async def upload(
    blobs: Blobs, did: Did, body: AsyncIterator[bytes], *, content_type: str | None, content_length: int | None
) -> BlobRef:
    """Receive one blob; returns the reference to put into a record.

    ``content_length`` is what was announced. Raises TooLarge while receiving, InvalidInput when fewer or more bytes
    came than announced, Refused for a blob that was taken down or a full account; nothing is then kept.
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
            if known is None and await queries.stored_bytes(blobs.db, did) + size > blobs.limits.quota_bytes:
                raise TooLarge(f"This account's blobs would exceed its {blobs.limits.quota_bytes} bytes.")
            await receiving.keep(object_name(did, cid))
            stored = await blobs.db.write(lambda w: queries.put(w, did, cid, mime_type, size))
    return BlobRef(cid, stored.mime_type, stored.size)


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"The blob is larger than the {limit} bytes allowed here.", name="PayloadTooLarge")
