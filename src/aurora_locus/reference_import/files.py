"""Import of blobs: each file is hashed while it is copied, and keeps its state (public, temporary or taken down)."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from at_protocol.data.cid import Cid
from at_protocol.failures import Malformed
from at_protocol.syntax.did import Did
from aurora_locus.blobs.uploads import object_name, quarantine_name
from aurora_locus.reference_import.old_folder import OldFolder, instant
from groundwork.blobstore.contract import PIECE_BYTES, BlobStore
from groundwork.clock import Instant
from groundwork.database.transaction import Writer

_BLOBS = "select cid, mimeType, size, tempKey, createdAt, takedownRef from blob order by cid"

# A blob that records refer to becomes public, whatever its state on the old server was.
_INSERT = """
    insert into blobs (did, cid, mime_type, size, state, takedown_ref, created_at)
    select :did, :cid, :mime_type, :size,
           case when exists (select 1 from blob_references r where r.did = :did and r.cid = :cid)
                then 'permanent' else 'temporary' end,
           :takedown_ref, :created_at
"""


@dataclass(frozen=True, slots=True)
class OldBlob:
    """A row of the old store, and its file; None if the file is missing."""

    cid: Cid
    mime_type: str
    size: int
    takedown_ref: str | None
    created_at: Instant
    file: Path | None


def blobs(folder: OldFolder, store: sqlite3.Connection, did: Did) -> Iterator[OldBlob]:
    """Return every blob of an account."""
    for row in store.execute(_BLOBS):
        yield OldBlob(
            Cid.parse(row["cid"]),
            row["mimeType"],
            row["size"],
            row["takedownRef"],
            instant(row["createdAt"]),
            folder.blob(did, row["cid"], row["tempKey"]),
        )


async def copy(store: BlobStore, did: Did, blob: OldBlob, file: Path) -> int:
    """Copy the file into our store and return its size. Raises Malformed if its bytes do not match its CID; the copy is
    not kept then.
    """
    digest = sha256()
    size = 0
    async with store.upload() as receiving:
        with file.open("rb") as source:
            while piece := source.read(PIECE_BYTES):
                digest.update(piece)
                size += len(piece)
                await receiving.write(piece)
        if digest.digest() != blob.cid.digest:
            raise Malformed("blob", str(blob.cid), f"the file {file} has other bytes")
        name = object_name(did, blob.cid) if blob.takedown_ref is None else quarantine_name(did, blob.cid)
        await receiving.keep(name)
    return size


def keep_blob(w: Writer, did: Did, blob: OldBlob, size: int) -> None:
    """Insert the row of a file that has been copied."""
    w.execute(
        _INSERT,
        did=did,
        cid=bytes(blob.cid),
        mime_type=blob.mime_type,
        size=size,
        takedown_ref=blob.takedown_ref,
        created_at=blob.created_at,
    )
