"""Every relevant record of the network as last seen: a join, whose guard stands in the statement.

A version replaces another only if its (is verified, epoch, rev) is greater: what nobody signed for never overrules what
somebody did, and gives way to it whatever revision it claimed. Deletes leave a tombstone with their rev. After a complete read of a repository its ``floor_rev`` rises: what is at or below it is history and
ignored. So any order and any repetition of messages leave the same rows.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from groundwork.clock import DAY, Instant
from groundwork.database.addresses import ENGINES, authority_of
from groundwork.database.bulk import for_each
from groundwork.database.transaction import Engine, Reader, Row, Transaction
from openmeet.network.records import repository_state
from openmeet.network.records.collections import RSVPS
from openmeet.network.records.message import RecordMessage

# How long an answer waits for its event, and how many of one author may wait.
PARKED_FOR = 30 * DAY
PARKED_PER_AUTHOR = 500


COUNT_BY_STANDING = "select standing, count(*) as n from records group by standing order by standing"


class RecordState(StrEnum):
    """What became of a record here."""

    MAPPED = "mapped"
    RAW = "raw"  # kept with the reason why it makes no row
    PARKED = "parked"  # an answer whose event has not been seen, or is not for its author to see
    TOMBSTONE = "tombstone"


@dataclass(frozen=True, slots=True)
class SeenRecord:
    """A record as last seen. ``subject_uri``: for an event itself, for an answer the event it is about.

    ``said_rev``: as of which rev this very version was first heard; ``rev`` moves on with every reading that finds it again.
    ``after_rev``: as of which something else was known of the record before, or that it was not there; ``said_rev`` itself where the
    commit that made it has been heard of.
    """

    uri: str
    did: str
    collection: str
    rkey: str
    rev: str
    cid: str | None
    body: bytes | None
    is_verified: bool
    standing: RecordState
    reason: str
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

# Who makes the same row at this moment is waited for; so is, in uri order, who has locked one that is there.
MAKE_SUBJECTS = (
    "insert into subjects (uri) select given.uri from each(uri text) as given where 1 = 1 on conflict (uri) do nothing"
)
LOCK_SUBJECTS = "select uri from subjects where uri in :uris order by uri for update"

# The same for many people, each with one DID. Conditions on standing and collection would tempt a planner that knows little of
# the table to begin with those, and to compare every record with every pair.
OF_PAIRS = f"""
    select {", ".join(f"r.{name.strip()}" for name in COLUMNS.split(","))}
      from each(subject_uri text, did text) as given
      join records r on r.subject_uri = given.subject_uri and r.did = given.did
"""

ANSWERS_OF = f"""
    select {COLUMNS} from records
     where subject_uri = :subject_uri and did in :dids and standing in ('mapped', 'parked') and collection in :collections
"""

PARKED_FOR_SUBJECTS = f"""
    select {COLUMNS} from records where subject_uri in :subject_uris and standing = 'parked' order by first_seen_at, uri
"""

WAITED_FOR = """
    select distinct subject_uri from records where standing = 'parked' and subject_uri in :subject_uris
"""

ANSWERED = """
    select given.uri from each(uri text) as given
     where exists (select 1 from records r where r.subject_uri = given.uri and r.standing = 'mapped' and r.uri <> given.uri)
"""
COUNTED_FOR = f"""
    select {COLUMNS} from records
     where subject_uri = :subject_uri and standing = 'mapped' and uri <> subject_uri order by first_seen_at, uri
"""

COUNT_IN = "update records set standing = 'mapped', reason = '' where uri in :uris and standing = 'parked'"

PARK_ANSWERS = """
    update records set standing = 'parked', reason = :reason
     where subject_uri = :subject_uri and did in :dids and collection in :collections and standing in ('mapped', 'parked')
"""

PARK_ANSWERS_TO = """
    update records set standing = 'parked', reason = :reason
     where standing = 'mapped' and uri <> subject_uri
       and subject_uri in (select given.subject_uri from each(subject_uri text) as given)
"""

MOVE_SUBJECT = """
    update records set subject_uri = :durable where subject_uri = :sloppy and standing = 'parked'
"""

MOVE_ANSWERS = """
    update records set subject_uri = :current
     where subject_uri in :former and subject_uri <> :current and collection in :collections
"""

COUNT_PARKED = """
    select did, count(*) as n from records where did in :dids and standing = 'parked' group by did order by did
"""

# A row that goes entirely comes back with the next read of its repository; a tombstone would forbid that.
# What is about an event that is here waits as long as that is.
EXPIRE_PARKED = """
    delete from records where standing = 'parked' and first_seen_at < :before
       and not exists (select 1 from events e where e.record_uri = records.subject_uri and e.deleted_at is null)
       and not exists (select 1 from former_records f join events e on e.id = f.subject_id
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

# Those of this very read stay until the next: the stream may yet bring the deletion itself, which then is looked up here.
DROP_OLD_TOMBSTONES = "delete from records where did = :did and standing = 'tombstone' and rev < :rev"

# Also of those that left no record here: what was refused, or too old.
URIS_OF: Mapping[Engine, str] = {
    engine: f"""
    select uri from records where did = :did
    union select uri from subjects where {authority_of(engine, "uri")} = :did
    order by uri
"""
    for engine in ENGINES
}
ERASE = "delete from records where did = :did returning uri, rev"
UNLOCK = "delete from subjects where uri = :uri"
ERASE_REPOSITORY = "delete from repositories where did = :did"

LIST_RAW = f"""
    select {COLUMNS} from records where standing = 'raw' and uri > :after order by uri limit :limit
"""


@dataclass(frozen=True, slots=True)
class RecordUpdate:
    """A version to take over, and what it means."""

    message: RecordMessage
    standing: RecordState
    reason: str = ""
    subject_uri: str | None = None
    precedence: str = ""


async def put(
    tx: Transaction,
    message: RecordMessage,
    *,
    standing: RecordState,
    reason: str = "",
    subject_uri: str | None = None,
    precedence: str = "",
) -> bool:
    """Take over a version if it is the newest; False when it is not, and then nothing else of it may be derived."""
    return bool(await put_each(tx, [RecordUpdate(message, standing, reason, subject_uri, precedence)]))


async def put_each(tx: Transaction, versions: Sequence[RecordUpdate]) -> set[str]:
    """``put`` for versions of different records; the uris of those that are the newest."""
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
            "standing": one.standing.value,
            "reason": one.reason,
            "subject_uri": one.subject_uri,
            "precedence": one.precedence,
        }
        for one in versions
    ]
    return {row["uri"] for row in await for_each(tx, PUT, rows, now=tx.now)}


async def find(reader: Reader, uri: str) -> SeenRecord | None:
    """A record as last seen, tombstones included."""
    row = await reader.fetch_one(FIND, uri=uri)
    return None if row is None else _seen(row)


async def find_many(reader: Reader, uris: Sequence[str]) -> dict[str, SeenRecord]:
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
    ordered = sorted(set(uris))
    is_locked = not ordered
    while not is_locked:
        await for_each(tx, MAKE_SUBJECTS, [{"uri": uri} for uri in ordered])
        # SQLite has one writer, which holds all. A row that somebody has just erased is made anew.
        is_locked = tx.engine == "sqlite" or len(await tx.fetch(LOCK_SUBJECTS, uris=ordered)) == len(ordered)


async def answers_of(
    reader: Reader, *, subject_uri: str, dids: Sequence[str], collections: Sequence[str]
) -> list[SeenRecord]:
    """The answers of one person (all their DIDs) to one event, the effective one first."""
    rows = await reader.fetch(ANSWERS_OF, subject_uri=subject_uri, dids=list(dids), collections=list(collections))
    return sorted(map(_seen, rows), key=_precedence, reverse=True)


async def effective_answers(
    reader: Reader, pairs: Iterable[tuple[str, str]], collections: Sequence[str]
) -> dict[tuple[str, str], SeenRecord]:
    """The effective answer for each (uri of an event, DID of a person who has no other); none where there is none."""
    rows = [{"subject_uri": subject_uri, "did": did} for subject_uri, did in sorted(set(pairs))]
    found = [_seen(row) for row in await for_each(reader, OF_PAIRS, rows)]
    counting = [
        one
        for one in found
        if one.standing in {RecordState.MAPPED, RecordState.PARKED} and one.collection in collections
    ]
    # The last one of each pair stands.
    return {(one.subject_uri or "", one.did): one for one in sorted(counting, key=_precedence)}


async def parked_for(reader: Reader, subject_uris: Sequence[str]) -> list[SeenRecord]:
    """Answers that wait for these events, in order of first arrival."""
    if not subject_uris:
        return []
    return [_seen(row) for row in await reader.fetch(PARKED_FOR_SUBJECTS, subject_uris=list(subject_uris))]


async def answered_among(reader: Reader, uris: Sequence[str]) -> list[str]:
    """Which of these events' records have answers that count (for whatever they were the record of)."""
    return sorted(row["uri"] for row in await for_each(reader, ANSWERED, [{"uri": uri} for uri in uris]))


async def counted_for(reader: Reader, subject_uri: str) -> list[SeenRecord]:
    """Answers that count and name this record, in order of first arrival."""
    return [_seen(row) for row in await reader.fetch(COUNTED_FOR, subject_uri=subject_uri)]


async def subjects_waited_for(reader: Reader, subject_uris: Sequence[str]) -> set[str]:
    """Which of these events have answers waiting for them."""
    if not subject_uris:
        return set()
    rows = await reader.fetch(WAITED_FOR, subject_uris=list(subject_uris))
    return {row["subject_uri"] for row in rows}


async def count_in(tx: Transaction, uris: Sequence[str]) -> None:
    """Answers leave their parking place."""
    if uris:
        await tx.execute(COUNT_IN, uris=list(uris))


async def park_answers(
    tx: Transaction, *, subject_uri: str, dids: Sequence[str], collections: Sequence[str], reason: str
) -> None:
    """The answers of one person (all their DIDs) to one event wait, for that reason."""
    await tx.execute(
        PARK_ANSWERS, subject_uri=subject_uri, dids=list(dids), collections=list(collections), reason=reason
    )


async def park_answers_to(tx: Transaction, subject_uris: Iterable[str], reason: str) -> None:
    """Everybody's answers to these events wait, for that reason."""
    await for_each(tx, PARK_ANSWERS_TO, [{"subject_uri": uri} for uri in sorted(subject_uris)], reason=reason)


async def resolve_subject(tx: Transaction, *, sloppy: str, durable: str) -> None:
    """The handle in the subject of parked answers is this DID."""
    await tx.execute(MOVE_SUBJECT, sloppy=sloppy, durable=durable)


async def move_answers(tx: Transaction, former: Sequence[str], current: str) -> None:
    """The event that these records were of has this one now: answers to it are kept under that."""
    if former:
        await tx.execute(MOVE_ANSWERS, former=list(former), current=current, collections=sorted(RSVPS))


async def parked_of(reader: Reader, dids: Iterable[str]) -> dict[str, int]:
    """How many answers of each of these authors wait; ``PARKED_PER_AUTHOR`` may."""
    asked = sorted(set(dids))
    rows = await reader.fetch(COUNT_PARKED, dids=asked) if asked else []
    return {row["did"]: int(row["n"]) for row in rows}


async def expire_parked(tx: Transaction) -> int:
    """Forget answers whose event never came; how many."""
    return await tx.execute(EXPIRE_PARKED, before=tx.now - PARKED_FOR)


async def mark_stale(tx: Transaction, dids: Iterable[str]) -> None:
    """Something about these accounts may have changed: somebody will ask."""
    await for_each(tx, MARK_STALE, [{"did": did} for did in sorted(set(dids))], now=tx.now)


async def set_status(tx: Transaction, did: str, status: str) -> None:
    """What the account's own PDS said; status hides rows, it never edits them."""
    await tx.execute(TOUCH_REPOSITORY, did=did, now=tx.now)
    await tx.execute(SET_STATUS, did=did, status=status, now=tx.now)


async def is_about(reader: Reader, uri: str, subject_uri: str | None) -> bool:
    """Whether this is the record of an answer that counts, to the event with that record."""
    known = await find(reader, uri)
    return known is not None and known.standing is RecordState.MAPPED and known.subject_uri == subject_uri


async def is_history(reader: Reader, did: str, rev: str) -> bool:
    """Whether a complete read of this repository has been applied that is as new as this rev, or newer."""
    row = await reader.fetch_one("select floor_rev from repositories where did = :did", did=did)
    return row is not None and rev <= row["floor_rev"]


async def was_read(reader: Reader, did: str) -> bool:
    """Whether a repository has been read whole, ever."""
    row = await reader.fetch_one("select synced_at from repositories where did = :did", did=did)
    return row is not None and row["synced_at"] is not None


async def raise_floor(tx: Transaction, did: str, rev: str) -> None:
    """A complete read at ``rev`` has been applied: older tombstones go, older messages are ignored from now on."""
    await tx.execute(TOUCH_REPOSITORY, did=did, now=tx.now)
    await tx.execute(RAISE_FLOOR, did=did, rev=rev, now=tx.now)
    await tx.execute(DROP_OLD_TOMBSTONES, did=did, rev=rev)


async def note_read(tx: Transaction, did: str) -> None:
    """A complete read was applied in part, or is unsigned: it need not be made again soon, and nothing is history by it."""
    await tx.execute(TOUCH_REPOSITORY, did=did, now=tx.now)
    await tx.execute(NOTE_READ, did=did, now=tx.now)


async def start_epoch(tx: Transaction, did: str) -> None:
    """The repository was re-created with lower revs: an operator says that what comes now is newer."""
    await tx.execute(NEW_EPOCH, did=did, now=tx.now)
    await repository_state.forget(tx, did)


async def erase(tx: Transaction, did: str) -> dict[str, str]:
    """Forget everything that a DID wrote; the last rev of each uri that was known."""
    uris = [row["uri"] for row in await tx.fetch(URIS_OF[tx.engine], did=did)]
    await _lock(tx, uris)
    revs = {row["uri"]: row["rev"] for row in await tx.fetch(ERASE, did=did)}
    await tx.execute_many(UNLOCK, [{"uri": uri} for uri in uris])
    await tx.execute(ERASE_REPOSITORY, did=did)
    await repository_state.forget(tx, did)
    return revs


async def unmapped(reader: Reader, *, after: str = "", limit: int = 100) -> list[SeenRecord]:
    """Records kept raw, for the operator, in uri order."""
    return [_seen(row) for row in await reader.fetch(LIST_RAW, after=after, limit=limit)]


async def counts(reader: Reader) -> dict[RecordState, int]:
    """How many records stand how."""
    return {RecordState(row["standing"]): int(row["n"]) for row in await reader.fetch(COUNT_BY_STANDING)}


def _precedence(answer: SeenRecord) -> tuple[str, str]:
    """Which of a person's answers to one event counts: the greatest, byte by byte, whatever the database's collation."""
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
        row["reason"],
        row["subject_uri"],
        row["precedence"],
        Instant(row["first_seen_at"]),
        row["said_rev"] or row["rev"],
        row["after_rev"],
    )
