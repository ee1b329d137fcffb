"""Likes, reposts, follows and blocks: a new one replaces earlier ones with the same subject, in one commit.

Apps create a second one when two devices or two taps race, and later remove only the one that they know. The reference
server replaces them in the same way.

The index of records has a hash of the subject (``records.subject``). A commit stores it with the record. An import, a
repair and versions before 0005 store null: not read yet. A scheduled task reads them (``read_subjects``). Until then, a
new record is also compared with their bytes.
"""

import hashlib
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
from groundwork.database.expressions import has_bytes
from groundwork.database.transaction import Database, Engine, PlainReader, Writer

# Of a record that names no subject.
NO_SUBJECT = b""

_OF_RECORDS = frozenset({Nsid("app.bsky.feed.like"), Nsid("app.bsky.feed.repost")})
_OF_ACCOUNTS = frozenset({Nsid("app.bsky.graph.follow"), Nsid("app.bsky.graph.block")})

# Records of these kinds have a few hundred bytes. A longer one counts as one without a subject.
_MAX_BYTES = 16 * 1024
# Few, so that requests do not wait for the writer.
_READ_AT_ONCE = 250
# More than any account has. With a limit, engines read the keys from the index first.
_ALL = 1 << 31

# The indexes cover only these collections. Engines use them only if the query repeats their condition.
_COLLECTIONS = """
    collection in ('app.bsky.feed.like', 'app.bsky.feed.repost', 'app.bsky.graph.follow', 'app.bsky.graph.block')
"""
_INDEXED = f"did = :did and collection = :collection and {_COLLECTIONS}"
_SAME_SUBJECT = f"""
    select rkey from records where {_INDEXED} and subject = :subject and rkey <> :rkey order by rkey desc limit :limit
"""
_ANY_UNREAD = f"select did, collection from records where {_COLLECTIONS} and subject is null limit 1"

# The keys of unread records are in the index, their CIDs are not.
_UNREAD = f"""
    select x.rkey, r.cid, (
               select case when length(b.bytes) <= :max_bytes then b.bytes end from blocks b
                where b.did = :did and b.cid = r.cid
           ) as bytes
      from (select rkey from records where {_INDEXED} and subject is null limit :limit) x
      join records r on r.did = :did and r.collection = :collection and r.rkey = x.rkey
"""
# Those with the text of the subject somewhere in the record. Each row and block is looked up by its key: with joins,
# PostgreSQL could compare every record with every block right after an import, when it has no statistics yet.
_UNREAD_WITH_TEXT = f"""
    select y.rkey, y.cid, y.bytes from (
        select x.rkey, r.cid, (
                   select b.bytes from blocks b
                    where b.did = :did and b.cid = r.cid and length(b.bytes) <= :max_bytes and {{has_text}}
               ) as bytes
          from (select rkey from records where {_INDEXED} and subject is null and rkey <> :rkey limit :all_of_them) x
          join records r on r.did = :did and r.collection = :collection and r.rkey = x.rkey
    ) y where y.bytes is not null
"""
# A record that was written again in the meantime has a subject already, or another CID.
_STORE_SUBJECT = """
    update records set subject = :subject
     where did = :did and collection = :collection and rkey = :rkey and cid = :cid and subject is null
"""


def hash_subject(collection: Nsid, record: Value) -> bytes | None:
    """Return the hash of the AT-URI or DID that only one record of the collection should be about: ``NO_SUBJECT`` if
    there is none, None in all other collections. A hash, because an index entry has a limited size.
    """
    if collection not in _OF_RECORDS | _OF_ACCOUNTS:
        return None
    subject = _subject_of(collection, record)
    return NO_SUBJECT if subject is None else hashlib.sha256(subject.encode()).digest()


def _subject_of(collection: Nsid, record: Value) -> str | None:
    subject = record.get("subject") if isinstance(record, dict) and record.get("$type") == collection else None
    if collection in _OF_RECORDS:
        subject = subject.get("uri") if isinstance(subject, dict) else None
    return subject if isinstance(subject, str) else None


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
    return await db.read(partial(_find, engine=db.engine, did=did, write=write, most=most))


def _find(r: PlainReader, engine: Engine, did: Did, write: PreparedWrite, most: int) -> list[RecordKey]:
    of = {"did": did, "collection": write.collection, "rkey": write.rkey}
    same = [RecordKey(row["rkey"]) for row in r.fetch(_SAME_SUBJECT, **of, subject=write.subject, limit=most)]
    with_text = _UNREAD_WITH_TEXT.format(has_text=has_bytes(engine, "b.bytes", "text"))
    unread = r.fetch(with_text, **of, max_bytes=_MAX_BYTES, text=_text_of(write), all_of_them=_ALL)
    same += [
        RecordKey(rkey) for rkey, cid, block in unread if _hash_stored(write.collection, cid, block) == write.subject
    ]
    return sorted(same, reverse=True)[:most]


def _text_of(write: PreparedWrite) -> bytes:
    """The subject as it stands in every record about it. The caller knows that there is one."""
    assert write.cid is not None  # noqa: S101  # only a deletion has no record
    assert write.block is not None  # noqa: S101
    subject = _subject_of(write.collection, read_stored(write.cid, write.block).fields)
    return (subject or "").encode()


async def read_subjects(db: Database) -> int:
    """Read the subjects of the records whose subject is not read yet. Return how many. Run by the scheduled tasks."""
    count = 0
    while rows := await db.read(_read_some):
        await db.write(partial(_store, rows=rows))
        count += len(rows)
    return count


def _read_some(r: PlainReader) -> list[dict[str, object]]:
    """Rows for ``_STORE_SUBJECT`` of one collection of an account."""
    found = r.fetch_one(_ANY_UNREAD)
    if found is None:
        return []
    of = {"did": found["did"], "collection": found["collection"]}
    unread = r.fetch(_UNREAD, **of, max_bytes=_MAX_BYTES, limit=_READ_AT_ONCE)
    collection = Nsid(of["collection"])
    return [
        {**of, "rkey": rkey, "cid": cid, "subject": _hash_stored(collection, cid, block)} for rkey, cid, block in unread
    ]


def _store(w: Writer, rows: list[dict[str, object]]) -> None:
    w.execute_many(_STORE_SUBJECT, rows)


def _hash_stored(collection: Nsid, cid: bytes, block: bytes | None) -> bytes | None:
    record = None if block is None else read_stored(Cid(cid), block).fields
    return hash_subject(collection, record)
