"""Every relevant record of the network as last seen. A condition in the SQL statement guards each merge.

A version replaces another only if its (is verified, epoch, rev) is greater. An unverified version therefore never
overrides a verified one, and a verified one always overrides it, regardless of the revs. Deletes leave a tombstone with
their rev. After a complete read of a repository, its ``floor_rev`` is raised: messages at or below it are history and
ignored. Any order and any repetition of messages therefore produce the same rows.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from groundwork.clock import DAY, Instant
from groundwork.database.addresses import ENGINES, authority_of
from groundwork.database.bulk import fetch_each
from groundwork.database.transaction import Engine, Reader, Row, Transaction
from groundwork.errors import Explanation, Reason, decode_explanation, encode_explanation
from openmeet.network.records import repository_state
from openmeet.network.records.collections import RSVPS
from openmeet.network.records.message import RecordMessage
from openmeet.network.records.reasons import RecordReason

# How long an RSVP waits for its event, and how many may wait per author.
LONGEST_WAIT_FOR_EVENT = 30 * DAY
MOST_AWAITING_PER_AUTHOR = 500


# The condition is always true. It makes the planner use the index on standing for this query only.
COUNT_BY_STATE = "select standing, count(*) as n from records where standing <> '' group by standing order by standing"


class RecordState(StrEnum):
    """State of a record here."""

    MAPPED = "mapped"
    RAW = "raw"  # kept with the reason why it could not be turned into a row
    AWAITS_EVENT = "parked"  # an RSVP whose event has not been seen, or is not visible to its author
    TOMBSTONE = "tombstone"


@dataclass(frozen=True, slots=True)
class SeenRecord:
    """A record as last seen. ``subject_uri``: for an event the event itself, for an RSVP its event.

    ``said_rev``: the rev at which this version was first seen; ``rev`` advances with every read that finds it again.
    ``after_rev``: the last rev at which another version, or none, was known; equal to ``said_rev`` if the commit that
    wrote it was seen.
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
    said_rev: str
    after_rev: str


COLUMNS = """uri, did, collection, rkey, rev, cid, body, is_verified, standing, reason, subject_uri, precedence,
    first_seen_at, said_rev, after_rev"""

_FOUND_AGAIN = "records.cid = excluded.cid and records.epoch = excluded.epoch and records.rev < excluded.rev"

PUT = f"""
    insert into records (uri, did, collection, rkey, epoch, rev, cid, body, is_verified, standing, reason, subject_uri,
                         precedence, first_seen_at, seen_at, said_rev, after_rev)
    select given.uri, given.did, given.collection, given.rkey, coalesce(r.epoch, 0), given.rev, given.cid, given.body,
           given.is_verified, given.standing, given.reason, given.subject_uri, given.precedence, cast(:now as bigint),
           cast(:now as bigint), given.rev, case when given.is_read = 1 then coalesce(r.floor_rev, '') else given.rev end
      from each(uri text, did text, collection text, rkey text, rev text, cid text, body bytea, is_verified integer,
                is_read integer, standing text, reason text, subject_uri text, precedence text) as given
      left join repositories r on r.did = given.did
     where coalesce(r.floor_rev, '') < given.rev
        on conflict (uri) do update
       set epoch = excluded.epoch, rev = excluded.rev, cid = excluded.cid, body = excluded.body,
           is_verified = excluded.is_verified, standing = excluded.standing, reason = excluded.reason,
           subject_uri = excluded.subject_uri, precedence = excluded.precedence, seen_at = excluded.seen_at,
           said_rev = case when {_FOUND_AGAIN} then coalesce(nullif(records.said_rev, ''), records.rev) else excluded.rev end,
           after_rev = case when {_FOUND_AGAIN} then records.after_rev when excluded.after_rev = excluded.rev then excluded.rev
                            when records.rev < excluded.rev then records.rev else '' end
     where excluded.is_verified > records.is_verified
        or (excluded.is_verified = records.is_verified
            and (excluded.epoch > records.epoch or (excluded.epoch = records.epoch and excluded.rev > records.rev)))
    returning uri
"""

FIND = f"select {COLUMNS} from records where uri = :uri"
FIND_MANY = f"select {COLUMNS} from records where uri in :uris"

# Waits for concurrent inserts of the same row and, in URI order, for locks on existing rows.
MAKE_SUBJECTS = "insert into record_subjects (uri) select given.uri from each(uri text) as given where 1 = 1 on conflict (uri) do nothing"
LOCK_SUBJECTS = "select uri from record_subjects where uri in :uris order by uri for update"

# Like ``ANSWERS_OF``, for many people with one DID each. If there were conditions on standing and collection, a planner
# with few statistics might start with those and compare every record with every pair.
OF_PAIRS = f"""
    select {", ".join(f"r.{name.strip()}" for name in COLUMNS.split(","))}
      from each(subject_uri text, did text) as given
      join records r on r.subject_uri = given.subject_uri and r.did = given.did
"""

ANSWERS_OF = f"""
    select {COLUMNS} from records
     where subject_uri = :subject_uri and did in :dids and standing in ('mapped', 'parked') and collection in :collections
"""

AWAITING_SUBJECTS = f"""
    select {COLUMNS} from records where subject_uri in :subject_uris and standing = 'parked' order by first_seen_at, uri
"""

AWAITED_AMONG = """
    select distinct subject_uri from records where standing = 'parked' and subject_uri in :subject_uris
"""

ANSWERED = """
    select given.uri from each(uri text) as given
     where exists (select 1 from records r where r.subject_uri = given.uri and r.standing = 'mapped' and r.uri <> given.uri)
"""
EFFECTIVE_RSVPS = f"""
    select {COLUMNS} from records
     where subject_uri = :subject_uri and standing = 'mapped' and uri <> subject_uri order by first_seen_at, uri
"""

MAKE_EFFECTIVE = "update records set standing = 'mapped', reason = '' where uri in :uris and standing = 'parked'"

SET_AWAITING_OF_PERSON = """
    update records set standing = 'parked', reason = :reason
     where subject_uri = :subject_uri and did in :dids and collection in :collections and standing in ('mapped', 'parked')
"""

SET_AWAITING = """
    update records set standing = 'parked', reason = :reason
     where standing = 'mapped' and uri <> subject_uri
       and subject_uri in (select given.subject_uri from each(subject_uri text) as given)
"""

MOVE_SUBJECT = """
    update records set subject_uri = :did_uri where subject_uri = :handle_uri and standing = 'parked'
"""

MOVE_ANSWERS = """
    update records set subject_uri = :current
     where subject_uri in :former and subject_uri <> :current and collection in :collections
"""

COUNT_AWAITING = """
    select did, count(*) as n from records where did in :dids and standing = 'parked' group by did order by did
"""

# A deleted row comes back with the next read of its repository; a tombstone would prevent that. A record about a known
# event waits as long as the event exists.
EXPIRE_AWAITING = """
    delete from records where standing = 'parked' and first_seen_at < :before
       and not exists (select 1 from events e where e.record_uri = records.subject_uri and e.deleted_at is null)
       and not exists (select 1 from superseded_records f join events e on e.id = f.subject_id
                        where f.uri = records.subject_uri and f.kind = 'event' and e.deleted_at is null)
"""

TOUCH_REPOSITORY = """
    insert into repositories (did, epoch, floor_rev, status, stale_at, synced_at, updated_at)
    values (:did, 0, '', 'active', null, null, :now)
        on conflict (did) do nothing
"""

MARK_STALE = """
    insert into repositories (did, epoch, floor_rev, status, stale_at, synced_at, updated_at)
    select given.did, 0, '', 'active', cast(:now as bigint), null, cast(:now as bigint) from each(did text) as given where 1 = 1
        on conflict (did) do update set stale_at = excluded.stale_at, updated_at = excluded.updated_at
"""

SET_STATUS = """
    update repositories set status = :status, stale_at = null, updated_at = :now where did = :did
"""

RAISE_FLOOR = """
    update repositories set floor_rev = :rev, synced_at = :now, updated_at = :now where did = :did and floor_rev < :rev
"""

NOTE_READ = "update repositories set synced_at = :now, updated_at = :now where did = :did"

NEW_EPOCH = """
    insert into repositories (did, epoch, floor_rev, status, stale_at, synced_at, updated_at)
    values (:did, 1, '', 'active', :now, null, :now)
        on conflict (did) do update
       set epoch = repositories.epoch + 1, floor_rev = '', missed_rev = '', stale_at = excluded.stale_at, updated_at = excluded.updated_at
"""

# Tombstones of this same read stay until the next read, because the stream may still deliver the deletion itself, which
# is then looked up here.
DROP_OLD_TOMBSTONES = "delete from records where did = :did and standing = 'tombstone' and rev < :rev"

# Includes URIs without a record here, because their records were refused or too old.
URIS_OF: Mapping[Engine, str] = {
    engine: f"""
    select uri from records where did = :did
    union select uri from record_subjects where {authority_of(engine, "uri")} = :did
    order by uri
"""
    for engine in ENGINES
}
ERASE = "delete from records where did = :did returning uri, rev"
UNLOCK = "delete from record_subjects where uri = :uri"
ERASE_REPOSITORY = "delete from repositories where did = :did"

LIST_RAW = f"""
    select {COLUMNS} from records where standing = 'raw' and uri > :after order by uri limit :limit
"""


@dataclass(frozen=True, slots=True)
class RecordUpdate:
    """A version to apply, and its parsed meaning."""

    message: RecordMessage
    state: RecordState
    reason: Explanation | Reason | None = None
    subject_uri: str | None = None
    precedence: str = ""


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
            "standing": one.state.value,
            "reason": encode_explanation(one.reason),
            "subject_uri": one.subject_uri,
            "precedence": one.precedence,
        }
        for one in versions
    ]
    return {row["uri"] for row in await fetch_each(tx, PUT, rows, now=tx.now)}


async def find(reader: Reader, uri: str) -> SeenRecord | None:
    """Return a record as last seen, including tombstones."""
    row = await reader.fetch_one(FIND, uri=uri)
    return None if row is None else _seen(row)


async def find_many(reader: Reader, uris: Sequence[str]) -> dict[str, SeenRecord]:
    """``find`` for several records, by URI. Unknown ones are missing from the result."""
    if not uris:
        return {}
    return {row["uri"]: _seen(row) for row in await reader.fetch(FIND_MANY, uris=list(uris))}


async def lock_answers(tx: Transaction, uris: Iterable[str]) -> None:
    """Lock RSVPs by their own URI, in URI order and before any event, so that their state can be read.

    Otherwise two versions about different events could be applied concurrently, and neither would undo the other's
    result.
    """
    await _lock(tx, uris)


async def lock_subjects(tx: Transaction, uris: Iterable[str]) -> None:
    """Lock one row per event, in URI order, before events or the RSVPs awaiting them are read.

    Without this, PostgreSQL loses an RSVP that arrives at the same time as its event, because neither transaction sees
    the other's row.
    """
    await _lock(tx, uris)


async def _lock(tx: Transaction, uris: Iterable[str]) -> None:
    ordered = sorted(set(uris))
    is_locked = not ordered
    while not is_locked:
        await fetch_each(tx, MAKE_SUBJECTS, [{"uri": uri} for uri in ordered])
        # SQLite has only one writer, so no lock is needed. If a row was erased concurrently, it is created again.
        is_locked = tx.engine == "sqlite" or len(await tx.fetch(LOCK_SUBJECTS, uris=ordered)) == len(ordered)


async def answers_of(
    reader: Reader, *, subject_uri: str, dids: Sequence[str], collections: Sequence[str]
) -> list[SeenRecord]:
    """Return the RSVPs of one person (all their DIDs) to one event, the effective one first."""
    rows = await reader.fetch(ANSWERS_OF, subject_uri=subject_uri, dids=list(dids), collections=list(collections))
    return sorted(map(_seen, rows), key=_precedence, reverse=True)


async def effective_answers(
    reader: Reader, pairs: Iterable[tuple[str, str]], collections: Sequence[str]
) -> dict[tuple[str, str], SeenRecord]:
    """Return the effective RSVP for each pair (URI of an event, DID of a person who has no other DID), if there is one."""
    rows = [{"subject_uri": subject_uri, "did": did} for subject_uri, did in sorted(set(pairs))]
    rsvps = [_seen(row) for row in await fetch_each(reader, OF_PAIRS, rows)]
    counting = [
        one
        for one in rsvps
        if one.state in {RecordState.MAPPED, RecordState.AWAITS_EVENT} and one.collection in collections
    ]
    # The last row of each pair is used.
    return {(one.subject_uri or "", one.did): one for one in sorted(counting, key=_precedence)}


async def rsvps_awaiting(reader: Reader, subject_uris: Sequence[str]) -> list[SeenRecord]:
    """Return the RSVPs that await these events, in order of first arrival."""
    if not subject_uris:
        return []
    return [_seen(row) for row in await reader.fetch(AWAITING_SUBJECTS, subject_uris=list(subject_uris))]


async def answered_among(reader: Reader, uris: Sequence[str]) -> list[str]:
    """Return the event records among these that effective RSVPs refer to, including former records."""
    return sorted(row["uri"] for row in await fetch_each(reader, ANSWERED, [{"uri": uri} for uri in uris]))


async def effective_rsvps(reader: Reader, subject_uri: str) -> list[SeenRecord]:
    """Return effective RSVPs that refer to this record, in order of first arrival."""
    return [_seen(row) for row in await reader.fetch(EFFECTIVE_RSVPS, subject_uri=subject_uri)]


async def awaited_among(reader: Reader, subject_uris: Sequence[str]) -> set[str]:
    """Return the events among these that RSVPs await."""
    if not subject_uris:
        return set()
    rows = await reader.fetch(AWAITED_AMONG, subject_uris=list(subject_uris))
    return {row["subject_uri"] for row in rows}


async def make_effective(tx: Transaction, uris: Sequence[str]) -> None:
    """Make RSVPs effective whose event is now here."""
    if uris:
        await tx.execute(MAKE_EFFECTIVE, uris=list(uris))


async def make_person_await(
    tx: Transaction, *, subject_uri: str, dids: Sequence[str], collections: Sequence[str], reason: RecordReason
) -> None:
    """Make the RSVPs of one person (all their DIDs) to one event await it, with this reason."""
    await tx.execute(
        SET_AWAITING_OF_PERSON,
        subject_uri=subject_uri,
        dids=list(dids),
        collections=list(collections),
        reason=encode_explanation(reason),
    )


async def make_all_await(tx: Transaction, subject_uris: Iterable[str], reason: RecordReason) -> None:
    """Make all RSVPs to these events await them, with this reason."""
    await fetch_each(
        tx, SET_AWAITING, [{"subject_uri": uri} for uri in sorted(subject_uris)], reason=encode_explanation(reason)
    )


async def resolve_subject(tx: Transaction, *, handle_uri: str, did_uri: str) -> None:
    """Replace the subject of RSVPs awaiting their event by the URI with the DID, after its handle was resolved."""
    await tx.execute(MOVE_SUBJECT, handle_uri=handle_uri, did_uri=did_uri)


async def move_answers(tx: Transaction, former: Sequence[str], current: str) -> None:
    """Move RSVPs from these former records of an event to its current one."""
    if former:
        await tx.execute(MOVE_ANSWERS, former=list(former), current=current, collections=sorted(RSVPS))


async def count_awaiting(reader: Reader, dids: Iterable[str]) -> dict[str, int]:
    """Return how many RSVPs of each of these authors await an event. The limit is ``MOST_AWAITING_PER_AUTHOR``."""
    unique_dids = sorted(set(dids))
    rows = await reader.fetch(COUNT_AWAITING, dids=unique_dids) if unique_dids else []
    return {row["did"]: int(row["n"]) for row in rows}


async def expire_awaiting(tx: Transaction) -> int:
    """Delete RSVPs whose event did not arrive in time; return their number."""
    return await tx.execute(EXPIRE_AWAITING, before=tx.now - LONGEST_WAIT_FOR_EVENT)


async def mark_stale(tx: Transaction, dids: Iterable[str]) -> None:
    """Note that these accounts may have changed, so that their identities are refreshed."""
    await fetch_each(tx, MARK_STALE, [{"did": did} for did in sorted(set(dids))], now=tx.now)


async def set_status(tx: Transaction, did: str, status: str) -> None:
    """Store an account's status, as stated by its own PDS. The status can hide rows but does not change them."""
    await tx.execute(TOUCH_REPOSITORY, did=did, now=tx.now)
    await tx.execute(SET_STATUS, did=did, status=status, now=tx.now)


async def refers_to_event(reader: Reader, uri: str, subject_uri: str | None) -> bool:
    """Whether this is the record of an effective RSVP to the event with the given record."""
    rsvp = await find(reader, uri)
    return rsvp is not None and rsvp.state is RecordState.MAPPED and rsvp.subject_uri == subject_uri


async def is_history(reader: Reader, did: str, rev: str) -> bool:
    """Whether a complete read of this repository, as of this rev or later, has been applied."""
    row = await reader.fetch_one("select floor_rev from repositories where did = :did", did=did)
    return row is not None and rev <= row["floor_rev"]


async def was_read(reader: Reader, did: str) -> bool:
    """Whether the repository was ever read completely."""
    row = await reader.fetch_one("select synced_at from repositories where did = :did", did=did)
    return row is not None and row["synced_at"] is not None


async def raise_floor(tx: Transaction, did: str, rev: str) -> None:
    """Note that a complete read as of ``rev`` was applied: delete older tombstones, and ignore older messages from now
    on.
    """
    await tx.execute(TOUCH_REPOSITORY, did=did, now=tx.now)
    await tx.execute(RAISE_FLOOR, did=did, rev=rev, now=tx.now)
    await tx.execute(DROP_OLD_TOMBSTONES, did=did, rev=rev)


async def note_read(tx: Transaction, did: str) -> None:
    """Note a read that was applied only in part or is unsigned. It does not have to be repeated soon, and the floor
    stays.
    """
    await tx.execute(TOUCH_REPOSITORY, did=did, now=tx.now)
    await tx.execute(NOTE_READ, did=did, now=tx.now)


async def start_epoch(tx: Transaction, did: str) -> None:
    """Start a new epoch of a repository that was re-created with lower revs, after an operator confirmed that the new
    messages are newer.
    """
    await tx.execute(NEW_EPOCH, did=did, now=tx.now)
    await repository_state.forget(tx, did)


async def erase(tx: Transaction, did: str) -> dict[str, str]:
    """Delete everything that a DID wrote; return the last rev of each known URI."""
    uris = [row["uri"] for row in await tx.fetch(URIS_OF[tx.engine], did=did)]
    await _lock(tx, uris)
    revs = {row["uri"]: row["rev"] for row in await tx.fetch(ERASE, did=did)}
    await tx.execute_many(UNLOCK, [{"uri": uri} for uri in uris])
    await tx.execute(ERASE_REPOSITORY, did=did)
    await repository_state.forget(tx, did)
    return revs


async def unmapped(reader: Reader, *, after: str = "", limit: int = 100) -> list[SeenRecord]:
    """Return records kept raw, for the operator, in URI order."""
    return [_seen(row) for row in await reader.fetch(LIST_RAW, after=after, limit=limit)]


async def counts(reader: Reader) -> dict[RecordState, int]:
    """Return the number of records per state."""
    return {RecordState(row["standing"]): int(row["n"]) for row in await reader.fetch(COUNT_BY_STATE)}


def _precedence(answer: SeenRecord) -> tuple[str, str]:
    """Return the sort key that decides which of a person's RSVPs to one event is effective: the greatest, compared byte
    by byte regardless of the database's collation.
    """
    return answer.precedence, answer.uri


def _seen(row: Row) -> SeenRecord:
    body = row["body"]
    return SeenRecord(
        row["uri"],
        row["did"],
        row["collection"],
        row["rkey"],
        row["rev"],
        row["cid"],
        None if body is None else bytes(body),
        bool(row["is_verified"]),
        RecordState(row["standing"]),
        decode_explanation(row["reason"]),
        row["subject_uri"],
        row["precedence"],
        Instant(row["first_seen_at"]),
        row["said_rev"] or row["rev"],
        row["after_rev"],
    )
