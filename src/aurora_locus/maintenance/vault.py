"""Vault of backups: a folder or a bucket in which everything is encrypted, including the names of blobs.

``vault`` holds the parameters that derive the key from the passphrase. ``backups/<id>/…`` is one backup; it is complete
when its ``manifest``, which is written last, exists. The backups share the blobs in ``blobs/…``, so that each blob is
uploaded once.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from groundwork.blobstore.contract import BlobStore, put
from groundwork.blobstore.open_ import Bucket, open_bucket, open_folder
from groundwork.errors import InvalidInput, NotFound, Refused
from groundwork.sealed_stream import OpeningStream, SealingStream, keyed_name, master_key
from groundwork.sealing import CannotUnseal

KEY = "vault"
MANIFEST = "manifest"
DATABASE = "database"
BLOBS = "blobs"

_VERSION = 1
_PROOF = b"openmeet backups"
_BUCKET = "s3://"


class _Header(msgspec.Struct):
    version: int
    salt: bytes
    proof: bytes


@dataclass(frozen=True, slots=True)
class Vault:
    """An opened vault. Created by ``open_vault``."""

    store: BlobStore
    master: bytes

    def blob_name(self, digest: bytes) -> str:
        """Key of the blob with this digest (``digest_of``)."""
        return f"{BLOBS}/{digest[:1].hex()}/{digest.hex()}"

    def digest_of(self, blob: str) -> bytes:
        """Return the keyed digest of a blob's name: 32 bytes that do not reveal its owner."""
        return keyed_name(self.master, blob)

    async def write(self, name: str, pieces: AsyncIterator[bytes]) -> int:
        """Store a value of any length and return its stored size in bytes."""
        sealing = SealingStream(self.master, name)
        async with self.store.upload() as upload:
            async for piece in pieces:
                if sealed_piece := await asyncio.to_thread(sealing.feed, piece):
                    await upload.write(sealed_piece)
            await upload.write(sealing.finish())
            await upload.keep(name)
            return upload.size

    async def read(self, name: str) -> AsyncIterator[bytes]:
        """Read a value in pieces. Raises NotFound; CannotUnseal, possibly only at the end."""
        opening_stream = OpeningStream(self.master, name)
        async for piece in self.store.read(name):
            if opened := await asyncio.to_thread(opening_stream.feed, piece):
                yield opened
        yield opening_stream.finish()

    async def read_whole(self, name: str) -> bytes:
        """Read a short value into memory. Raises what ``read`` raises."""
        return b"".join([piece async for piece in self.read(name)])

    async def backup_ids(self) -> list[str]:
        """Return the ids of complete backups, oldest first."""
        names = [stored.key async for stored in self.store.list("backups")]
        return sorted(name.split("/")[1] for name in names if name.endswith(f"/{MANIFEST}"))

    async def remove(self, backup: str) -> None:
        """Remove a complete or partial backup. Its manifest is removed first, so that a partial backup never looks
        complete.
        """
        await self.store.delete(part_name(backup, MANIFEST))
        async for stored in self.store.list(f"backups/{backup}"):
            await self.store.delete(stored.key)


def part_name(backup: str, part: str) -> str:
    """Key of a part of a backup."""
    return f"backups/{backup}/{part}"


def open_backup_store(url: str, bucket: Bucket) -> BlobStore:
    """Open the folder or bucket at a URL. ``bucket`` has the access to buckets; its name and prefix are those of the URL.
    Raises InvalidInput (``url``).
    """
    try:
        if url.startswith(_BUCKET):
            parts = urlsplit(url)
            if not parts.netloc:
                raise InvalidInput("url", "The place for backups must be a folder, or s3://bucket/folder.")
            return open_bucket(replace(bucket, name=parts.netloc, prefix=parts.path.strip("/")))
        if "://" in url and not url.startswith("file://"):
            raise InvalidInput("url", "The place for backups must be a folder, or s3://bucket/folder.")
        return open_folder(Path(url.removeprefix("file://")))
    except (ValueError, OSError) as error:
        raise InvalidInput("url", f"The place of backups cannot be used: {error}.") from error


async def open_vault(store: BlobStore, passphrase: str, *, new_salt: bytes | None = None) -> Vault:
    """Open a vault with the passphrase. With ``new_salt`` an empty place becomes a vault. Processes that may do so at
    the same time need the same salt: the key of the one that is overwritten opens nothing otherwise.

    Raises NotFound if there is no vault, Refused for a wrong passphrase.
    """
    try:
        header = msgspec.msgpack.decode(b"".join([piece async for piece in store.read(KEY)]), type=_Header)
    except NotFound:
        if new_salt is None:
            raise NotFound("There are no backups in that place.") from None
        return await _make(store, passphrase, new_salt)
    except msgspec.DecodeError:
        raise Refused("That place does not contain backups of this program.") from None
    master = await asyncio.to_thread(master_key, passphrase, header.salt)
    opening_stream = OpeningStream(master, KEY)
    try:
        proof = opening_stream.feed(header.proof) + opening_stream.finish()
    except CannotUnseal:
        proof = b""
    if proof != _PROOF:
        raise Refused("The backups in that place were made with another passphrase.")
    return Vault(store, master)


async def _make(store: BlobStore, passphrase: str, salt: bytes) -> Vault:
    master = await asyncio.to_thread(master_key, passphrase, salt)
    sealing = SealingStream(master, KEY)
    proof = sealing.feed(_PROOF) + sealing.finish()
    await put(store, KEY, msgspec.msgpack.encode(_Header(_VERSION, salt, proof)))
    return Vault(store, master)
