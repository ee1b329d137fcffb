"""References from records to blobs: checked before a write, stored in its transaction."""

from collections.abc import Iterable, Mapping, Sequence

from at_protocol.data.blob_ref import BlobRef
from at_protocol.data.cid import Cid
from at_protocol.syntax.did import Did
from at_protocol.syntax.nsid import Nsid
from at_protocol.syntax.record_key import RecordKey
from aurora_locus.blobs import removals
from groundwork.database.transaction import Database, Writer
from groundwork.errors import InvalidInput, NotFound

_FIND = "select cid, mime_type, size, state, takedown_ref from blobs where did = :did and cid in :cids"

_REFER = """
    insert into blob_references (did, collection, rkey, cid) values (:did, :collection, :rkey, :cid)
    on conflict do nothing
"""
_UNREFER = "delete from blob_references where did = :did and collection = :collection and rkey = :rkey returning cid"
_PUBLISH = "update blobs set state = 'permanent' where did = :did and cid = :cid and takedown_ref is null"
_PUBLISH_REFERRED = """
    update blobs set state = 'permanent'
     where did = :did and state = 'temporary' and takedown_ref is null
       and exists (select 1 from blob_references r where r.did = :did and r.cid = blobs.cid)
"""
# A blob that is taken down keeps its row, so that a new upload of the same bytes is recognized.
_COLLECT = """
    delete from blobs
     where did = :did and cid = :cid and takedown_ref is null
       and not exists (select 1 from blob_references r where r.did = :did and r.cid = :cid)
"""


def _absent(cid: Cid) -> NotFound:
    return NotFound(
        f"The blob {cid} has not been uploaded, or is no longer kept; upload it first.", name="BlobNotFound"
    )


async def require_blobs(db: Database, did: Did, references: Sequence[BlobRef]) -> None:
    """Raise unless every blob is stored on this server and matches the records.

    Type and size are checked only while a blob is temporary, because older records describe a permanent blob as it was
    when it was uploaded.
    """
    async with db.reader() as reader:
        rows = await reader.fetch(_FIND, did=did, cids=list({bytes(blob.cid) for blob in references}))
    rows_by_cid = {row["cid"]: row for row in rows}
    for blob in references:
        row = rows_by_cid.get(bytes(blob.cid))
        if row is None or row["takedown_ref"] is not None:
            raise _absent(blob.cid)
        if row["state"] != "temporary":
            continue
        if row["mime_type"] != blob.mime_type:
            why = f"The blob {blob.cid} was stored as {row['mime_type']}, the record says {blob.mime_type}."
            raise InvalidInput("record", why, name="InvalidMimeType")
        if row["size"] != blob.size:
            why = f"The blob {blob.cid} has {row['size']} bytes, the record says {blob.size}."
            raise InvalidInput("record", why, name="InvalidSize")


def drop_references(w: Writer, did: Did, collection: Nsid, rkey: RecordKey) -> list[bytes]:
    """Delete the references of a record that is deleted or about to be rewritten. Return their CIDs."""
    return [row["cid"] for row in w.fetch(_UNREFER, did=did, collection=collection, rkey=rkey)]


def add_references(w: Writer, did: Did, collection: Nsid, rkey: RecordKey, blobs: Iterable[BlobRef]) -> None:
    """Store a record's references and make those blobs public.

    Raises NotFound if a blob was deleted since it was checked.
    """
    for blob in blobs:
        cid = bytes(blob.cid)
        w.execute(_REFER, did=did, collection=collection, rkey=rkey, cid=cid)
        if w.execute(_PUBLISH, did=did, cid=cid) == 0:
            raise _absent(blob.cid)


def add_imported_references(w: Writer, did: Did, rows: Sequence[Mapping[str, object]]) -> None:
    """Store the references of imported records: ``did``, ``collection``, ``rkey`` and ``cid`` of each. Blobs that this
    server has become public; the others are listed as missing until they are uploaded.
    """
    w.execute_many(_REFER, rows)
    w.execute(_PUBLISH_REFERRED, did=did)


def collect(w: Writer, did: Did, cids: Iterable[bytes]) -> list[Cid]:
    """Delete the rows of blobs without references. Removal of their files is queued and starts after the commit."""
    removed = [Cid(cid) for cid in dict.fromkeys(cids) if w.execute(_COLLECT, did=did, cid=cid)]
    if removed:
        removals.enqueue(w, did, removed)
    return removed
