"""Likes, reposts, follows and blocks: a new one replaces earlier ones with the same subject, in one commit.

Apps create a second one when two devices or two taps race, and later remove only the one that they know. The reference
server replaces them in the same way.

The index of records has a hash of the subject (``records.subject``). A commit stores it with the record. An import, a
repair and versions before 0005 store null: not read yet. It is read when the account next creates such a record, once.
"""

import hashlib
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from at_protocol.data.cid import Cid
from at_protocol.data.model import Value
from at_protocol.repo.stored_record import read_stored
from at_protocol.sync.events import MAX_OPERATIONS
from at_protocol.syntax.did import Did
from at_protocol.syntax.nsid import Nsid
from at_protocol.syntax.record_key import RecordKey
from aurora_locus.repository.model import PreparedWrite, WriteAction
from groundwork.database.transaction import Database, PlainReader

# Of a record that names no subject.
NO_SUBJECT = b""

_OF_RECORDS = frozenset({Nsid("app.bsky.feed.like"), Nsid("app.bsky.feed.repost")})
_OF_ACCOUNTS = frozenset({Nsid("app.bsky.graph.follow"), Nsid("app.bsky.graph.block")})

# Records of these kinds have a few hundred bytes. A longer one counts as one without a subject.
_MAX_BYTES = 16 * 1024
_READ_AT_ONCE = 250

# The index covers only these collections. Engines use it only if the query repeats its condition.
_INDEXED = """
    did = :did and collection = :collection
    and collection in ('app.bsky.feed.like', 'app.bsky.feed.repost', 'app.bsky.graph.follow', 'app.bsky.graph.block')
"""
_SAME_SUBJECT = f"""
    select rkey from records where {_INDEXED} and subject = :subject and rkey <> :rkey order by rkey desc limit :limit
"""
_UNREAD = f"""
    select x.rkey, r.cid, case when length(b.bytes) <= :max_bytes then b.bytes end as bytes
      from (select did, collection, rkey from records where {_INDEXED} and subject is null limit :limit) x
      join records r on r.did = x.did and r.collection = x.collection and r.rkey = x.rkey
      left join blocks b on b.did = r.did and b.cid = r.cid
"""
# A record that was written again in the meantime has a subject already, or another CID.
_STORE_SUBJECT = """
    update records set subject = :subject
     where did = :did and collection = :collection and rkey = :rkey and cid = :cid and subject is null
"""


class _Found(NamedTuple):
    """The keys of the duplicates; or, as long as subjects are not read yet, rows for ``_STORE_SUBJECT``."""

    rkeys: list[RecordKey]
    subjects: list[dict[str, object]]


def hash_subject(collection: Nsid, record: Value) -> bytes | None:
    """Return the hash of the AT-URI or DID that only one record of the collection should be about: ``NO_SUBJECT`` if
    there is none, None in all other collections. A hash, because an index entry has a limited size.
    """
    if collection not in _OF_RECORDS | _OF_ACCOUNTS:
        return None
    subject = record.get("subject") if isinstance(record, dict) and record.get("$type") == collection else None
    if collection in _OF_RECORDS:
        subject = subject.get("uri") if isinstance(subject, dict) else None
    return hashlib.sha256(subject.encode()).digest() if isinstance(subject, str) else NO_SUBJECT


async def with_deletions(db: Database, did: Did, writes: Sequence[PreparedWrite]) -> list[PreparedWrite]:
    """Put before each creation that replaces duplicates the deletions of these. The caller holds the repository's
    lock.
    """
    made: list[PreparedWrite] = []
    for write in writes:
        if write.replaces_others and write.subject:
            most = MAX_OPERATIONS - len(writes) - len(made)
            rkeys = await _duplicates(db, did, write, most)
            made += [PreparedWrite(WriteAction.DELETE, write.collection, rkey) for rkey in rkeys]
        made.append(write)
    return made


async def _duplicates(db: Database, did: Did, write: PreparedWrite, most: int) -> list[RecordKey]:
    while True:
        found = await db.read(partial(_find, did=did, write=write, most=most))
        if not found.subjects:
            return found.rkeys
        await db.write(lambda w, rows=found.subjects: w.execute_many(_STORE_SUBJECT, rows))  # type: ignore[misc]  # a default binds it now


def _find(r: PlainReader, did: Did, write: PreparedWrite, most: int) -> _Found:
    of = {"did": did, "collection": write.collection}
    unread = r.fetch(_UNREAD, **of, max_bytes=_MAX_BYTES, limit=_READ_AT_ONCE)
    if unread:
        return _Found(
            [],
            [
                {**of, "rkey": rkey, "cid": cid, "subject": _subject_of(write, cid, block)}
                for rkey, cid, block in unread
            ],
        )
    same = r.fetch(_SAME_SUBJECT, **of, subject=write.subject, rkey=write.rkey, limit=most)
    return _Found([RecordKey(row["rkey"]) for row in same], [])


def _subject_of(write: PreparedWrite, cid: bytes, block: bytes | None) -> bytes | None:
    record = None if block is None else read_stored(Cid(cid), block).fields
    return hash_subject(write.collection, record)
