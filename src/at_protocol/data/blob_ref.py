"""Blob references in records (blob specification): the typed form, and the older untyped form, which is read but not
written.

The typed form is a map with exactly ``$type`` = ``blob``, ``ref`` (a link), ``mimeType`` and ``size``. The legacy form
has exactly ``cid`` and ``mimeType``, both text. References are found without a schema, by walking the whole record.
"""

from dataclasses import dataclass

from at_protocol.data.cid import CODEC_RAW, Cid
from at_protocol.data.model import Value
from at_protocol.failures import Malformed

UNKNOWN_SIZE = -1


@dataclass(frozen=True, slots=True)
class BlobRef:
    """A record's reference to a blob. ``size`` is in bytes, or UNKNOWN_SIZE in the legacy form."""

    cid: Cid
    mime_type: str
    size: int
    is_legacy: bool = False

    def to_value(self) -> dict[str, Value]:
        """Return the reference in the form in which it was written."""
        if self.is_legacy:
            return {"cid": str(self.cid), "mimeType": self.mime_type}
        return {"$type": "blob", "ref": self.cid, "mimeType": self.mime_type, "size": self.size}


def blob_of(entries: dict[str, Value], *, strict: bool = True) -> BlobRef:
    """Parse a map with ``$type`` = ``blob``. Raises Malformed (kind ``blob``).

    Strict, for everything that this server writes: the link must be a raw CID. Imported records may contain any CID.
    """
    reference, mime_type, size = entries.get("ref"), entries.get("mimeType"), entries.get("size")
    if entries.keys() != {"$type", "ref", "mimeType", "size"}:
        raise Malformed("blob", sorted(entries), "a blob has exactly $type, ref, mimeType and size")
    if not isinstance(reference, Cid):
        raise Malformed("blob", reference, "ref is not a link")
    if strict and reference.codec != CODEC_RAW:
        raise Malformed("blob", str(reference), "ref is not the CID of raw bytes")
    # The specification requires non-empty text; the reference code also requires a slash.
    if not isinstance(mime_type, str) or "/" not in mime_type[1:-1]:
        raise Malformed("blob", mime_type, "mimeType is not of the form type/subtype")
    # Zero is accepted: the empty blob has a legal CID, and the reference code accepts it.
    if isinstance(size, bool) or not isinstance(size, int) or size < 0:
        raise Malformed("blob", size, "size is not a count of bytes")
    return BlobRef(reference, mime_type, size)


def _typed_blob_of(entries: dict[str, Value], *, strict: bool) -> BlobRef | None:
    """Parse a map with ``$type`` = ``blob``. Invalid ones are None without ``strict``, and raise Malformed with it."""
    try:
        return blob_of(entries, strict=strict)
    except Malformed:
        if strict:
            raise
        return None


def _legacy_blob_of(entries: dict[str, Value]) -> BlobRef | None:
    text, mime_type = entries.get("cid"), entries.get("mimeType")
    if len(entries) != 2 or not isinstance(text, str) or not isinstance(mime_type, str) or not mime_type:
        return None
    try:
        return BlobRef(Cid.parse(text), mime_type, UNKNOWN_SIZE, is_legacy=True)
    except Malformed:
        return None  # another object that happens to have these two fields


def find_blobs(value: Value, *, strict: bool = True) -> list[BlobRef]:
    """Return all blob references in a value, with duplicates, in no particular order.

    Raises Malformed (kind ``blob``) for a map that claims to be a blob but is not. Without ``strict``, such maps are
    skipped, because imported records can contain them.
    """
    blob_refs: list[BlobRef] = []
    waiting: list[Value] = [value]
    while waiting:
        current = waiting.pop()
        if isinstance(current, list):
            waiting.extend(current)
        elif isinstance(current, dict):
            is_typed = current.get("$type") == "blob"
            blob_ref = _typed_blob_of(current, strict=strict) if is_typed else _legacy_blob_of(current)
            if blob_ref is not None:
                blob_refs.append(blob_ref)
            elif not is_typed:
                waiting.extend(current.values())
    return blob_refs
