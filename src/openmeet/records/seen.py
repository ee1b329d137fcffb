"""Every relevant record of the network as last seen: a join, whose guard stands in the statement.

A version replaces another only if its (epoch, rev) is greater and it is not worse verified. Deletes leave a tombstone
with their rev. After a complete read of a repository its ``floor_rev`` rises: what is at or below it is history and
ignored. So any order and any repetition of messages leave the same rows.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from groundwork.clock import DAY, Instant
from groundwork.database.transaction import Reader, Row, Transaction
from openmeet.records.message import RecordMessage

# How long an answer waits for its event, and how many of one author may wait.
PARKED_FOR = 30 * DAY
PARKED_PER_AUTHOR = 500


COUNT_BY_STANDING = "select standing, count(*) as n from records group by standing order by standing"


class Standing(StrEnum):
    """What became of a record here."""

    MAPPED = "mapped"
    RAW = "raw"  # kept with the reason why it makes no row
    PARKED = "parked"  # an answer whose event has not been seen
    TOMBSTONE = "tombstone"


@dataclass(frozen=True, slots=True)
class Seen:
    """A record as last seen. ``subject_uri``: for an event itself, for an answer the event it is about."""

    uri: str
    did: str
    collection: str
    rkey: str
    rev: str
    cid: str | None
    body: bytes | None
    is_verified: bool
    standing: Standing
    reason: str
    subject_uri: str | None
    precedence: str
    first_seen_at: Instant


COLUMNS = """uri, did, collection, rkey, rev, cid, body, is_verified, standing, reason, subject_uri, precedence,
    first_seen_at"""

# PostgreSQL infers no types for a bare select list, hence the casts; SQLite reads ``cast(… as bytea)`` as a number, hence
# the coalesce.
PUT = """
    insert into records (uri, did, collection, rkey, epoch, rev, cid, body, is_verified, standing, reason, subject_uri,
                         precedence, first_seen_at, seen_at)
    select cast(:uri as text), cast(:did as text), cast(:collection as text), cast(:rkey as text),
           coalesce((select epoch from repositories where did = :did), 0), cast(:rev as text), cast(:cid as text),
           coalesce(cast(null as bytea), :body), cast(:is_verified as integer), cast(:standing as text), cast(:reason as text),
           cast(:subject_uri as text), cast(:precedence as text), cast(:now as bigint), cast(:now as bigint)
     where not exists (select 1 from repositories where did = :did and floor_rev >= :rev)
        on conflict (uri) do update
       set epoch = excluded.epoch, rev = excluded.rev, cid = excluded.cid, body = excluded.body,
           is_verified = excluded.is_verified, standing = excluded.standing, reason = excluded.reason,
           subject_uri = excluded.subject_uri, precedence = excluded.precedence, seen_at = excluded.seen_at
     where (excluded.epoch > records.epoch or (excluded.epoch = records.epoch and excluded.rev > records.rev))
       and excluded.is_verified >= records.is_verified
    returning uri
"""

FIND = f"select {COLUMNS} from records where uri = :uri"
FIND_MANY = f"select {COLUMNS} from records where uri in :uris"

LOCK_SUBJECT = "insert into subjects (uri) values (:uri) on conflict (uri) do update set uri = excluded.uri"

ANSWERS_OF = f"""
    select {COLUMNS} from records
     where subject_uri = :subject_uri and did in :dids and standing in ('mapped', 'parked') and collection in :collections
     order by precedence desc, uri desc
"""

PARKED_FOR_SUBJECT = f"""
    select {COLUMNS} from records where subject_uri = :subject_uri and standing = 'parked' order by first_seen_at, uri
"""

WAITED_FOR = """
    select distinct subject_uri from records where standing = 'parked' and subject_uri in :subject_uris
"""

SET_STANDING = "update records set standing = :standing, reason = :reason where uri = :uri"

MOVE_SUBJECT = """
    update records set subject_uri = :durable where subject_uri = :sloppy and standing = 'parked'
"""

COUNT_PARKED = "select count(*) as n from records where did = :did and standing = 'parked'"

# A row that goes entirely comes back with the next read of its repository; a tombstone would forbid that.
EXPIRE_PARKED = "delete from records where standing = 'parked' and first_seen_at < :before"

TOUCH_REPOSITORY = """
    insert into repositories (did, epoch, floor_rev, status, stale_at, synced_at, updated_at)
    values (:did, 0, '', 'active', null, null, :now)
        on conflict (did) do nothing
"""

MARK_STALE = """
    insert into repositories (did, epoch, floor_rev, status, stale_at, synced_at, updated_at)
    values (:did, 0, '', 'active', :now, null, :now)
        on conflict (did) do update set stale_at = excluded.stale_at, updated_at = excluded.updated_at
"""

SET_STATUS = """
    update repositories set status = :status, stale_at = null, updated_at = :now where did = :did
"""

RAISE_FLOOR = """
    update repositories set floor_rev = :rev, synced_at = :now, updated_at = :now where did = :did and floor_rev < :rev
"""

NEW_EPOCH = """
    insert into repositories (did, epoch, floor_rev, status, stale_at, synced_at, updated_at)
    values (:did, 1, '', 'active', :now, null, :now)
        on conflict (did) do update
       set epoch = repositories.epoch + 1, floor_rev = '', stale_at = excluded.stale_at, updated_at = excluded.updated_at
"""

# What a complete read did not contain: only records that were not changed after it.
ABSENT = """
    select uri, collection, rkey from records
     where did = :did and collection in :collections and standing <> 'tombstone'
       and (rev <= :rev or epoch < (select epoch from repositories where did = :did))
     order by uri
"""

DROP_OLD_TOMBSTONES = "delete from records where did = :did and standing = 'tombstone' and rev <= :rev"

URIS_OF = "select uri from records where did = :did order by uri"
ERASE = "delete from records where did = :did returning uri, rev"
UNLOCK = "delete from subjects where uri = :uri"
ERASE_REPOSITORY = "delete from repositories where did = :did"

LIST_RAW = f"""
    select {COLUMNS} from records where standing = 'raw' and uri > :after order by uri limit :limit
"""


async def put(
    tx: Transaction,
    message: RecordMessage,
    *,
    standing: Standing,
    reason: str = "",
    subject_uri: str | None = None,
    precedence: str = "",
) -> bool:
    """Take over a version if it is the newest; False when it is not, and then nothing else of it may be derived."""
    row = await tx.fetch_one(
        PUT,
        uri=message.uri,
        did=message.did,
        collection=message.collection,
        rkey=message.rkey,
        rev=message.rev,
        cid=message.cid,
        body=message.body,
        is_verified=int(message.is_verified),
        standing=standing.value,
        reason=reason,
        subject_uri=subject_uri,
        precedence=precedence,
        now=tx.now,
    )
    return row is not None


async def find(reader: Reader, uri: str) -> Seen | None:
    """A record as last seen, tombstones included."""
    row = await reader.fetch_one(FIND, uri=uri)
    return None if row is None else _seen(row)


async def find_many(reader: Reader, uris: Sequence[str]) -> dict[str, Seen]:
    """The same for several; those never seen are missing from the answer."""
    if not uris:
        return {}
    return {row["uri"]: _seen(row) for row in await reader.fetch(FIND_MANY, uris=list(uris))}


async def lock_answers(tx: Transaction, uris: Iterable[str]) -> None:
    """Lock answers by their own uri, in uri order and before any event: then what is known of them can be read.

    Two versions about different events would else be applied side by side, and neither take back what the other gave.
    """
    await _lock(tx, uris)


async def lock_subjects(tx: Transaction, uris: Iterable[str]) -> None:
    """Lock one row per event, in uri order, before events or parked answers are read.

    Without it PostgreSQL loses an answer that arrives beside its event: neither transaction sees the other's row.
    """
    await _lock(tx, uris)


async def _lock(tx: Transaction, uris: Iterable[str]) -> None:
    await tx.execute_many(LOCK_SUBJECT, [{"uri": uri} for uri in sorted(set(uris))])


async def answers_of(
    reader: Reader, *, subject_uri: str, dids: Sequence[str], collections: Sequence[str]
) -> list[Seen]:
    """The answers of one person (all their DIDs) to one event, the effective one first."""
    rows = await reader.fetch(ANSWERS_OF, subject_uri=subject_uri, dids=list(dids), collections=list(collections))
    return [_seen(row) for row in rows]


async def parked_for(reader: Reader, subject_uri: str) -> list[Seen]:
    """Answers that wait for this event, in order of first arrival."""
    return [_seen(row) for row in await reader.fetch(PARKED_FOR_SUBJECT, subject_uri=subject_uri)]


async def subjects_waited_for(reader: Reader, subject_uris: Sequence[str]) -> set[str]:
    """Which of these events have answers waiting for them."""
    if not subject_uris:
        return set()
    rows = await reader.fetch(WAITED_FOR, subject_uris=list(subject_uris))
    return {row["subject_uri"] for row in rows}


async def set_standing(tx: Transaction, uri: str, standing: Standing, reason: str = "") -> None:
    """An answer leaves its parking place, or a record turned out to make no row."""
    await tx.execute(SET_STANDING, uri=uri, standing=standing.value, reason=reason)


async def resolve_subject(tx: Transaction, *, sloppy: str, durable: str) -> None:
    """The handle in the subject of parked answers is this DID."""
    await tx.execute(MOVE_SUBJECT, sloppy=sloppy, durable=durable)


async def may_park(reader: Reader, did: str) -> bool:
    """Whether this author may have one more answer waiting."""
    row = await reader.fetch_one(COUNT_PARKED, did=did)
    return row is None or int(row["n"]) < PARKED_PER_AUTHOR


async def expire_parked(tx: Transaction) -> int:
    """Forget answers whose event never came; how many."""
    return await tx.execute(EXPIRE_PARKED, before=tx.now - PARKED_FOR)


async def mark_stale(tx: Transaction, did: str) -> None:
    """Something about the account may have changed: somebody will ask."""
    await tx.execute(MARK_STALE, did=did, now=tx.now)


async def set_status(tx: Transaction, did: str, status: str) -> None:
    """What the account's own PDS said; status hides rows, it never edits them."""
    await tx.execute(TOUCH_REPOSITORY, did=did, now=tx.now)
    await tx.execute(SET_STATUS, did=did, status=status, now=tx.now)


async def raise_floor(tx: Transaction, did: str, rev: str) -> None:
    """A complete read at ``rev`` has been applied: older tombstones go, older messages are ignored from now on."""
    await tx.execute(TOUCH_REPOSITORY, did=did, now=tx.now)
    await tx.execute(RAISE_FLOOR, did=did, rev=rev, now=tx.now)
    await tx.execute(DROP_OLD_TOMBSTONES, did=did, rev=rev)


async def start_epoch(tx: Transaction, did: str) -> None:
    """The repository was re-created with lower revs: an operator says that what comes now is newer."""
    await tx.execute(NEW_EPOCH, did=did, now=tx.now)


async def erase(tx: Transaction, did: str) -> dict[str, str]:
    """Forget everything that a DID wrote; the last rev of each uri that was known."""
    uris = [row["uri"] for row in await tx.fetch(URIS_OF, did=did)]
    await _lock(tx, uris)
    revs = {row["uri"]: row["rev"] for row in await tx.fetch(ERASE, did=did)}
    await tx.execute_many(UNLOCK, [{"uri": uri} for uri in uris])
    await tx.execute(ERASE_REPOSITORY, did=did)
    return revs


async def not_newer_than(reader: Reader, did: str, rev: str, collections: Sequence[str]) -> list[tuple[str, str, str]]:
    """(uri, collection, key) of records that a complete read at ``rev`` must contain if they still exist."""
    rows = await reader.fetch(ABSENT, did=did, rev=rev, collections=list(collections))
    return [(row["uri"], row["collection"], row["rkey"]) for row in rows]


async def unmapped(reader: Reader, *, after: str = "", limit: int = 100) -> list[Seen]:
    """Records kept raw, for the operator, in uri order."""
    return [_seen(row) for row in await reader.fetch(LIST_RAW, after=after, limit=limit)]


async def counts(reader: Reader) -> dict[Standing, int]:
    """How many records stand how."""
    return {Standing(row["standing"]): int(row["n"]) for row in await reader.fetch(COUNT_BY_STANDING)}


def _seen(row: Row) -> Seen:
    body = row["body"]
    return Seen(
        row["uri"],
        row["did"],
        row["collection"],
        row["rkey"],
        row["rev"],
        row["cid"],
        None if body is None else bytes(body),
        bool(row["is_verified"]),
        Standing(row["standing"]),
        row["reason"],
        row["subject_uri"],
        row["precedence"],
        Instant(row["first_seen_at"]),
    )
