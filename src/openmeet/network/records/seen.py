"""Every relevant record of the network as last seen. A condition in the SQL statement guards each merge.

A version replaces another only if its (is verified, epoch, rev) is greater. An unsigned version therefore never
overrides a signed one (``is_verified``), and a signed one always overrides it, regardless of the revs. Deletes leave a
tombstone with their rev. Messages at or below the floor of their repository (``repository_state``) are history and
ignored. Any order and any repetition of messages therefore produce the same rows.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from groundwork.clock import Instant
from groundwork.database.bulk import execute_each, fetch_each
from groundwork.database.transaction import Engine, Reader, Row, Transaction
from groundwork.errors import Explanation, Reason, decode_explanation, encode_explanation
from openmeet.network.records import repository_state
from openmeet.network.records.message import RecordMessage
from openmeet.outbox.publications import RecordVersion

# The condition is always true. It makes the planner use the index on state for this query only.
COUNT_BY_STATE = "select state, count(*) as n from records where state <> '' group by state order by state"


class RecordState(StrEnum):
    """State of a record here. SQL statements contain the values."""

    MAPPED = "mapped"
    RAW = "raw"  # kept with the reason why it could not be turned into a row
    AWAITS_EVENT = "awaits_event"  # an RSVP whose event has not been seen, or is not visible to its author
    TOMBSTONE = "tombstone"


@dataclass(frozen=True, slots=True)
class SeenRecord:
    """A record as last seen. ``subject_uri``: for an event the event itself, for an RSVP its event.

    ``version_rev``: the rev at which this version was first seen; ``rev`` advances with every read that finds it again.
    ``previous_known_rev``: the last rev at which another version, or none, was known; equal to ``version_rev`` if the
    commit that wrote it was seen.
    ``readable``: of an event record that could not be read, its last version that could. Its rev is empty if it was
    unproven.
    """

    uri: str
    did: str
    collection: str
    rkey: str
    rev: str
    cid: str | None
    body: bytes | None
    is_verified: bool
    state: RecordState
    reason: Explanation | None
    subject_uri: str | None
    precedence: str
    first_seen_at: Instant
    version_rev: str
    previous_known_rev: str
    readable: RecordVersion | None = None


COLUMNS = """uri, did, collection, rkey, rev, cid, body, is_verified, state, reason, subject_uri, precedence,
    first_seen_at, version_rev, previous_known_rev, readable_rev, readable_cid, readable_body"""

_FOUND_AGAIN = "records.cid = excluded.cid and records.epoch = excluded.epoch and records.rev < excluded.rev"

PUT = f"""
    insert into records (uri, did, collection, rkey, epoch, rev, cid, body, is_verified, state, reason, subject_uri,
                         precedence, first_seen_at, seen_at, version_rev, previous_known_rev, readable_rev, readable_cid,
                         readable_body)
    select given.uri, given.did, given.collection, given.rkey, coalesce(r.epoch, 0), given.rev, given.cid, given.body,
           given.is_verified, given.state, given.reason, given.subject_uri, given.precedence, cast(:now as bigint),
           cast(:now as bigint), given.rev, case when given.is_read = 1 then coalesce(r.floor_rev, '') else given.rev end,
           given.readable_rev, given.readable_cid, given.readable_body
      from each(uri text, did text, collection text, rkey text, rev text, cid text, body bytea, is_verified integer,
                is_read integer, state text, reason text, subject_uri text, precedence text, readable_rev text,
                readable_cid text, readable_body bytea) as given
      left join repositories r on r.did = given.did
     where coalesce(r.floor_rev, '') < given.rev
        on conflict (uri) do update
       set epoch = excluded.epoch, rev = excluded.rev, cid = excluded.cid, body = excluded.body,
           is_verified = excluded.is_verified, state = excluded.state, reason = excluded.reason,
           subject_uri = excluded.subject_uri, precedence = excluded.precedence, seen_at = excluded.seen_at,
           readable_rev = excluded.readable_rev, readable_cid = excluded.readable_cid,
           readable_body = excluded.readable_body,
           version_rev = case when {_FOUND_AGAIN} then coalesce(nullif(records.version_rev, ''), records.rev)
               else excluded.rev end,
           previous_known_rev = case when {_FOUND_AGAIN} then records.previous_known_rev
               when excluded.previous_known_rev = excluded.rev then excluded.rev
                            when records.rev < excluded.rev then records.rev else '' end
     where excluded.is_verified > records.is_verified
        or (excluded.is_verified = records.is_verified
            and (excluded.epoch > records.epoch or (excluded.epoch = records.epoch and excluded.rev > records.rev)))
    returning uri
"""

# The same comparison as in ``PUT``, for unsigned versions.
UNSIGNED_NEWS = """
    select given.uri
      from each(uri text, did text, rev text) as given
      left join repositories p on p.did = given.did
      left join records r on r.uri = given.uri
     where coalesce(p.floor_rev, '') < given.rev
       and (r.uri is null
            or (r.is_verified = 0
                and (coalesce(p.epoch, 0) > r.epoch or (coalesce(p.epoch, 0) = r.epoch and given.rev > r.rev))))
"""

FIND = f"select {COLUMNS} from records where uri = :uri"
FIND_MANY = f"select {COLUMNS} from records where uri in :uris"

# A transaction locks a record, of any kind, by inserting a row that it deletes at once: until it ends, an insert of the
# same row waits. No row outlives its transaction, so nothing here names an account that was erased, and no record has to
# be stored for its lock. SQLite has only one writer and needs no lock.
#
# Waits in the given order. The processes of the previous release leave rows, which are locked by the update.
LOCK_SUBJECTS = """
    insert into record_subjects (uri) select given.uri from each(uri text) as given where 1 = 1
        on conflict (uri) do update set uri = excluded.uri
"""
DELETE_SUBJECTS = "delete from record_subjects where uri in :uris"

URIS_OF = "select uri from records where did = :did"
ERASE = "delete from records where did = :did returning uri, rev"

# Candidates for records that a complete read did not contain: only those that were not changed after it.
ABSENT = """
    select uri, collection, rkey from records
     where did = :did and collection in :collections and state <> 'tombstone'
       and (rev <= :rev or epoch < (select epoch from repositories where did = :did))
     order by uri
"""

# Deletions are left out, so every read checks them again: the records may exist by now.
VERIFIED = """
    select uri, cid, rev, state, reason, precedence from records
     where did = :did and collection in :collections and state <> 'tombstone' and is_verified = 1
       and epoch >= coalesce((select epoch from repositories where did = :did), 0)
     order by uri
"""

# DIDs with records here, and DIDs with another connection to somebody here.
REFERRED_TO = """
    select given.did from each(did text) as given
     where exists (select 1 from records r where r.did = given.did and r.state <> 'tombstone')
        or exists (select 1 from publications p where p.did = given.did)
        or exists (select 1 from group_follows f where f.did = given.did)
        or exists (select 1 from identities i join users u on u.id = i.user_id where i.did = given.did
                    and (u.kind <> 'shadow'
                         or exists (select 1 from profile_followers f where f.followed_id = u.id)
                         or exists (select 1 from attendances a where a.user_id = u.id)
                         or exists (select 1 from group_members m where m.user_id = u.id)))
"""

# Record URIs of a collection with keys between two keys, without those that are known to exist.
BETWEEN = """
    select uri from records
     where did = :did and collection = :collection and state <> 'tombstone' and {rkey} > :above and {rkey} < :below
       and uri not in :besides
     order by {rkey} desc limit :limit
"""

LIST_RAW = f"""
    select {COLUMNS} from records where state = 'raw' and uri > :after order by uri limit :limit
"""


@dataclass(frozen=True, slots=True)
class RecordUpdate:
    """A version to apply, and its parsed meaning. ``readable``: see ``SeenRecord``."""

    message: RecordMessage
    state: RecordState
    reason: Explanation | Reason | None = None
    subject_uri: str | None = None
    precedence: str = ""
    readable: RecordVersion | None = None


async def put(
    tx: Transaction,
    message: RecordMessage,
    *,
    state: RecordState,
    reason: Explanation | Reason | None = None,
    subject_uri: str | None = None,
    precedence: str = "",
) -> bool:
    """Apply a version if it is the newest. Returns False if it is not; then nothing may be derived from it."""
    return bool(await put_each(tx, [RecordUpdate(message, state, reason, subject_uri, precedence)]))


async def put_each(tx: Transaction, versions: Sequence[RecordUpdate]) -> set[str]:
    """``put`` for versions of different records. Returns the URIs of those that are the newest."""
    rows = [
        {
            "uri": one.message.uri,
            "did": one.message.did,
            "collection": one.message.collection,
            "rkey": one.message.rkey,
            "rev": one.message.rev,
            "cid": one.message.cid,
            "body": one.message.body,
            "is_verified": int(one.message.is_verified),
            "is_read": int(one.message.is_read),
            "state": one.state.value,
            "reason": encode_explanation(one.reason),
            "subject_uri": one.subject_uri,
            "precedence": one.precedence,
            "readable_rev": None if one.readable is None else one.readable.rev,
            "readable_cid": None if one.readable is None else one.readable.cid,
            "readable_body": None if one.readable is None else one.readable.body,
        }
        for one in versions
    ]
    return {row["uri"] for row in await fetch_each(tx, PUT, rows, now=tx.now)}


async def unsigned_news(reader: Reader, messages: Sequence[RecordMessage]) -> set[str]:
    """Return the URIs of those of these unsigned versions that ``put_each`` would store as the newest."""
    rows = [{"uri": one.uri, "did": one.did, "rev": one.rev} for one in messages]
    return {row["uri"] for row in await fetch_each(reader, UNSIGNED_NEWS, rows)}


async def find(reader: Reader, uri: str) -> SeenRecord | None:
    """Return a record as last seen, including tombstones."""
    row = await reader.fetch_one(FIND, uri=uri)
    return None if row is None else seen_record_of(row)


async def find_many(reader: Reader, uris: Sequence[str]) -> dict[str, SeenRecord]:
    """``find`` for several records, by URI. Unknown ones are missing from the result."""
    if not uris:
        return {}
    return {row["uri"]: seen_record_of(row) for row in await reader.fetch(FIND_MANY, uris=list(uris))}


async def newest_versions(reader: Reader, uris: Sequence[str]) -> dict[str, tuple[str, Instant]]:
    """Return the CID of the newest version of each record that was read, and when it was last seen, by URI."""
    if not uris:
        return {}
    rows = await reader.fetch("select uri, cid, seen_at from records where uri in :uris and cid is not null", uris=uris)
    return {row["uri"]: (str(row["cid"]), Instant(row["seen_at"])) for row in rows}


async def lock_records(tx: Transaction, uris: Iterable[str]) -> None:
    """Lock records, which need not be known, in URI order until the transaction ends. Call it for RSVPs first and then
    for events, before either is read, and after ``repository_state.lock_floors_for_share``.

    RSVPs are locked because two versions about different events could otherwise be applied concurrently, and neither
    would undo the other's result. Events are locked because PostgreSQL would otherwise lose an RSVP that arrives at the
    same time as its event: neither transaction sees the other's row.
    """
    ordered = sorted(set(uris))
    if tx.engine == "sqlite" or not ordered:
        return
    await execute_each(tx, LOCK_SUBJECTS, [{"uri": uri} for uri in ordered])
    await tx.execute(DELETE_SUBJECTS, uris=ordered)


async def erase(tx: Transaction, did: str) -> dict[str, str]:
    """Delete everything that a DID wrote; return the last rev of each known URI. The caller has locked its floor."""
    await lock_records(tx, [row["uri"] for row in await tx.fetch(URIS_OF, did=did)])
    revs = {row["uri"]: row["rev"] for row in await tx.fetch(ERASE, did=did)}
    await repository_state.erase(tx, did)
    return revs


async def not_newer_than(reader: Reader, did: str, rev: str, collections: Sequence[str]) -> list[tuple[str, str, str]]:
    """Return (URI, collection, key) of records that a complete read at ``rev`` must contain if they still exist."""
    rows = await reader.fetch(ABSENT, did=did, rev=rev, collections=list(collections))
    return [(row["uri"], row["collection"], row["rkey"]) for row in rows]


@dataclass(frozen=True, slots=True)
class VerifiedVersion:
    """The verified version of a record that exists, as last seen. The fields are those of ``SeenRecord``."""

    cid: str
    rev: str
    state: RecordState
    reason: Explanation | None
    precedence: str


async def verified(reader: Reader, did: str, collections: Sequence[str]) -> dict[str, VerifiedVersion]:
    """Return the verified records of a repository, by URI."""
    rows = await reader.fetch(VERIFIED, did=did, collections=list(collections))
    return {
        row["uri"]: VerifiedVersion(
            row["cid"], row["rev"], RecordState(row["state"]), decode_explanation(row["reason"]), row["precedence"]
        )
        for row in rows
    }


async def referred_to(reader: Reader, dids: Sequence[str]) -> set[str]:
    """Return the DIDs among these that a row in this database refers to."""
    rows = await fetch_each(reader, REFERRED_TO, [{"did": did} for did in dids])
    return {row["did"] for row in rows}


async def uris_between(
    reader: Reader, did: str, collection: str, *, above: str, below: str, besides: Sequence[str], limit: int
) -> list[str]:
    """Return URIs of a collection's known records with keys between the two given ones, greatest first; at most
    ``limit``.

    ``besides``: URIs to leave out. Keys are compared byte by byte, in the order in which servers list them.
    """
    sql = BETWEEN.format(rkey=_bytewise("rkey", reader.engine))
    values = {"above": above, "below": below, "besides": list(besides), "limit": limit}
    return [row["uri"] for row in await reader.fetch(sql, did=did, collection=collection, **values)]


async def newest_uris(reader: Reader, did: str, collection: str, *, limit: int) -> list[str]:
    """Return the URIs of a collection in a repository, newest keys first."""
    rows = await reader.fetch(
        "select uri from records where did = :did and collection = :collection and state = 'mapped'"
        " order by uri desc limit :limit",
        did=did,
        collection=collection,
        limit=limit,
    )
    return [row["uri"] for row in rows]


def _bytewise(column: str, engine: Engine) -> str:
    """Return the column with byte-by-byte comparison and ordering, as in Python, regardless of the PostgreSQL
    database's collation.

    PostgreSQL cannot use an index on the column for this. SQLite orders this way anyway.
    """
    return f'{column} collate "C"' if engine == "postgresql" else column


async def unmapped(reader: Reader, *, after: str = "", limit: int = 100) -> list[SeenRecord]:
    """Return records kept raw, for the operator, in URI order."""
    return [seen_record_of(row) for row in await reader.fetch(LIST_RAW, after=after, limit=limit)]


async def count_by_state(reader: Reader) -> dict[RecordState, int]:
    """Return the number of records per state."""
    return {RecordState(row["state"]): int(row["n"]) for row in await reader.fetch(COUNT_BY_STATE)}


def seen_record_of(row: Row) -> SeenRecord:
    """Parse a row with ``COLUMNS``."""
    body = row["body"]
    return SeenRecord(
        uri=row["uri"],
        did=row["did"],
        collection=row["collection"],
        rkey=row["rkey"],
        rev=row["rev"],
        cid=row["cid"],
        body=None if body is None else bytes(body),
        is_verified=bool(row["is_verified"]),
        state=RecordState(row["state"]),
        reason=decode_explanation(row["reason"]),
        subject_uri=row["subject_uri"],
        precedence=row["precedence"],
        first_seen_at=Instant(row["first_seen_at"]),
        version_rev=row["version_rev"] or row["rev"],
        previous_known_rev=row["previous_known_rev"],
        readable=_readable_version(row),
    )


def _readable_version(row: Row) -> RecordVersion | None:
    if row["readable_body"] is None:
        return None
    return RecordVersion(row["uri"], row["readable_rev"], row["readable_cid"], bytes(row["readable_body"]))
