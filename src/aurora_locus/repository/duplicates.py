"""Likes, reposts, follows and blocks: a new one replaces earlier ones with the same subject, in one commit.

Apps create a second one when two devices or two taps race, and later remove only the one that they know. The reference
server replaces them in the same way. Only the newest records of a collection are compared, because nothing indexes
their subjects, and a race leaves its duplicates close together.
"""

from collections.abc import Sequence
from functools import partial

from at_protocol.data.cid import Cid
from at_protocol.data.model import Value
from at_protocol.repo.stored_record import read_stored
from at_protocol.sync.events import MAX_OPERATIONS
from at_protocol.syntax.did import Did
from at_protocol.syntax.nsid import Nsid
from at_protocol.syntax.record_key import RecordKey
from aurora_locus.repository.model import PreparedWrite, WriteAction
from groundwork.database.transaction import Database, PlainReader

COMPARED_RECORDS = 1000
# These records have a few hundred bytes. Larger ones are not compared, because reading a thousand of them would take
# long.
_COMPARED_BYTES = 1024

_NEWEST = """
    select r.rkey, r.cid, case when length(b.bytes) <= :max_bytes then b.bytes else :nothing end as bytes
      from records r join blocks b on b.did = r.did and b.cid = r.cid
     where r.did = :did and r.collection = :collection
     order by r.rkey desc
     limit :limit
"""

_OF_RECORDS = frozenset({Nsid("app.bsky.feed.like"), Nsid("app.bsky.feed.repost")})
_OF_ACCOUNTS = frozenset({Nsid("app.bsky.graph.follow"), Nsid("app.bsky.graph.block")})


def find_subject(collection: Nsid, record: Value) -> str | None:
    """Return the AT-URI or DID that only one record of the collection may be about; None for any other record."""
    subject = record.get("subject") if isinstance(record, dict) else None
    if collection in _OF_RECORDS and isinstance(subject, dict):
        subject = subject.get("uri")
    elif collection not in _OF_ACCOUNTS:
        return None
    return subject if isinstance(subject, str) else None


async def with_deletions(db: Database, did: Did, writes: Sequence[PreparedWrite]) -> list[PreparedWrite]:
    """Put before each creation that replaces duplicates the deletions of these. The caller holds the repository's
    lock.
    """
    made: list[PreparedWrite] = []
    for write in writes:
        if write.only_about is not None:
            most = MAX_OPERATIONS - len(writes) - len(made)
            made += await db.read(partial(_deletions, did=did, write=write, most=most))
        made.append(write)
    return made


def _deletions(r: PlainReader, did: Did, write: PreparedWrite, most: int) -> list[PreparedWrite]:
    text = (write.only_about or "").encode()
    made: list[PreparedWrite] = []
    rows = r.fetch(
        _NEWEST, did=did, collection=write.collection, limit=COMPARED_RECORDS, max_bytes=_COMPARED_BYTES, nothing=b""
    )
    for rkey, cid, block in rows:
        if len(made) == most:
            break
        if text not in block or rkey == write.rkey:
            continue
        if find_subject(write.collection, read_stored(Cid(cid), block).fields) == write.only_about:
            made.append(PreparedWrite(WriteAction.DELETE, write.collection, RecordKey(rkey)))
    return made
