"""Lenient reading of stored records.

Records from other servers (imports, migrations) can break rules that apply to new writes. Their bytes are kept as they
are, because their hash is in the tree. They are parsed strictly if possible, otherwise leniently, and otherwise not at
all.
"""

from dataclasses import dataclass

from at_protocol.data import cbor, cbor_lenient
from at_protocol.data.blob_ref import BlobRef, find_blobs
from at_protocol.data.cid import CODEC_CBOR, Cid
from at_protocol.data.model import MAX_CONTAINERS, Value
from at_protocol.failures import Malformed

# Larger blocks are kept but never decoded.
MAX_READ_BYTES = 4 * 1024 * 1024

# "Parsers: at least 1 MiB" (data validation guide): the most that consumers accept.
_MAX_RECORD_BYTES = 1_048_576


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A stored record. ``fields`` is None if it cannot be parsed. ``flaw`` is the reason why a new write of it would be
    rejected, or None.
    """

    fields: dict[str, Value] | None
    flaw: str | None

    def blobs(self) -> tuple[BlobRef, ...]:
        """The blobs that the record refers to, with duplicates. Invalid references are skipped."""
        return () if self.fields is None else tuple(find_blobs(self.fields, strict=False))


def read_stored(cid: Cid, block: bytes) -> StoredRecord:
    """Parse a block that a repository's tree refers to as a record. Never raises; problems are reported as ``flaw``."""
    if len(block) > MAX_READ_BYTES:
        return StoredRecord(None, f"it has {len(block)} bytes")
    if cid.codec != CODEC_CBOR:
        return StoredRecord(None, "its CID does not have the dag-cbor codec")
    try:
        if cbor.has_more_containers(block, MAX_CONTAINERS):
            return StoredRecord(None, f"it has more than {MAX_CONTAINERS} lists and maps")
        return _map_of(cbor.decode(block), f"it has {len(block)} bytes" if len(block) > _MAX_RECORD_BYTES else None)
    except Malformed as failure:
        flaw = failure.why
    try:
        return _map_of(cbor_lenient.decode(block), flaw)
    except Malformed as failure:
        return StoredRecord(None, failure.why)


def _map_of(value: Value, flaw: str | None) -> StoredRecord:
    if isinstance(value, dict):
        return StoredRecord(value, flaw)
    return StoredRecord(None, "a record is a map")
