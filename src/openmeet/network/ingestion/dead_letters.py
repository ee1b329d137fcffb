"""Dead letters and quarantined records, for the operator: what each is about, why it failed, and what to do with it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from at_protocol.failures import Malformed
from at_protocol.syntax.at_uri import parse_at_uri
from groundwork.clock import Instant
from groundwork.database.bulk import execute_each
from groundwork.database.transaction import Database, ForeignKeyViolated, Reader, Transaction, TransactionConflict
from groundwork.errors import Explanation, Failure, packed, reason_of, unpacked
from groundwork.outbox.jobs import enqueue_again
from groundwork.outbox.retry import is_worth_retrying
from groundwork.queue.contract import DeadLetter, Queue
from openmeet.network.records import repository_state
from openmeet.network.records.message import RecordMessage, decode
from openmeet.network.records.reader import shortened
from openmeet.network.records.reasons import RecordReason
from openmeet.outbox.kinds import JobKind

PAGE = 100


@dataclass(frozen=True, slots=True)
class DeadLetterView:
    """A dead letter in words. ``about`` is the record's URI or the DID, ``""`` if it cannot be decoded."""

    letter_id: str
    routing_key: str
    partition: str
    about: str
    reason: str
    attempts: int
    buried_at: Instant


async def show(queue: Queue, *, limit: int = 100, after: str = "") -> list[DeadLetterView]:
    """Dead letters in the order of failure."""
    return [shown(letter) for letter in await queue.dead_letters(limit, after)]


def shown(letter: DeadLetter) -> DeadLetterView:
    """One dead letter in words."""
    return DeadLetterView(
        letter.letter_id,
        letter.message.routing_key,
        letter.message.partition,
        _about(letter.message.body),
        letter.reason,
        letter.attempts,
        letter.buried_at,
    )


async def retry(queue: Queue, letter_ids: Sequence[str]) -> int:
    """Deliver again; return how many there were."""
    return await queue.retry_dead(letter_ids)


async def discard(queue: Queue, letter_ids: Sequence[str]) -> int:
    """Delete; return how many there were."""
    return await queue.discard_dead(letter_ids)


async def erase(db: Database, keys: Sequence[bytes], queue: Queue, did: str) -> int:
    """Delete dead letters about a deleted DID, and its waiting records as far as the queue can single them out; return how many.

    Records that are younger than the erasure stay: the DID may be in use again.
    """
    async with db.reader() as reader:
        erased = (await repository_state.barriers(reader, keys, {did})).get(did, "")
    return await queue.forget(did, lambda body: "" < _rev(body) <= erased)


async def forget_erased(db: Database, keys: Sequence[bytes], queue: Queue) -> int:
    """Delete dead letters about what was erased since they were sent: some fail after the erasure. Return how many.

    A DID that came back since has newer ones, which stay.
    """
    found, after = 0, ""
    while letters := await queue.dead_letters(PAGE, after):
        async with db.reader() as reader:
            erased = await repository_state.barriers(reader, keys, {one.message.partition for one in letters})
        gone = [
            one.letter_id
            for one in letters
            if (rev := erased.get(one.message.partition)) is not None and _rev(one.message.body) <= rev
        ]
        found += await queue.discard_dead(gone)
        after = letters[-1].letter_id
    return found


def _rev(body: bytes) -> str:
    """The rev of a record; empty for a hint about a DID, and for what cannot be decoded."""
    try:
        message = decode(body)
    except Malformed:
        return ""
    return message.rev if isinstance(message, RecordMessage) else ""


async def forget_buried(queue: Queue, before: Instant | None) -> int:
    """Delete dead letters that failed before an instant (None: keep them all); return how many."""
    found, after = 0, ""
    while before is not None and (letters := await queue.dead_letters(PAGE, after)):
        old = [one.letter_id for one in letters if one.buried_at < before]
        found += await queue.discard_dead(old)
        # They are listed in the order of failure: the rest is newer.
        if len(old) < len(letters):
            break
        after = letters[-1].letter_id
    return found


def _about(body: bytes) -> str:
    try:
        message = decode(body)
    except Malformed:
        return ""
    return message.uri if isinstance(message, RecordMessage) else message.did


# Characters of a reason: a database's message, without a record that somebody quotes in it.
_MOST_REASON: Final = 500


class FailedStep(StrEnum):
    """What failed: applying the record, repairing its row (``reconcile``), or counting a pending RSVP (``fetch``)."""

    TAKING = "taking"
    MENDING = "mending"
    COUNTING = "counting"


# What is read again to retry a step: the repository of the record; to count an RSVP, its event.
READING: Final = {
    FailedStep.TAKING: JobKind.BACKFILL,
    FailedStep.MENDING: JobKind.RECONCILE,
    FailedStep.COUNTING: JobKind.FETCH_SUBJECT,
}


@dataclass(frozen=True, slots=True)
class Failed:
    """A record version, as of the rev of the read, and its error. ``cid``: None if it was to be deleted, or is unknown."""

    uri: str
    rev: str
    failure: Exception
    cid: str | None = None

    @property
    def reason(self) -> Explanation:
        cause = self.failure.__cause__
        failure = cause if isinstance(cause, ForeignKeyViolated) else self.failure
        if isinstance(failure, Failure):
            return reason_of(failure)
        # A driver's or parser's message may contain what no database stores.
        said = str(failure).replace("\0", "").encode(errors="replace").decode()
        return RecordReason.NOT_APPLIED(error=type(failure).__name__, detail=shortened(said, _MOST_REASON))


@dataclass(frozen=True, slots=True)
class QuarantinedRecord:
    """A quarantined record. ``found_at``: first failure; ``tried_at``: last; ``times``: number of failures."""

    uri: str
    did: str
    rev: str
    step: FailedStep
    reason: Explanation | None
    found_at: Instant
    tried_at: Instant
    times: int


_PUT: Final = """
    insert into quarantined_records (uri, did, collection, rev, cid, step, reason, found_at, tried_at, times)
    select given.uri, given.did, given.collection, given.rev, given.cid, cast(:step as text), given.reason,
           cast(:now as bigint), cast(:now as bigint), 1
      from each(uri text, did text, collection text, rev text, cid text, reason text) as given where 1 = 1
        on conflict (uri) do update
       set rev = excluded.rev, cid = excluded.cid, step = excluded.step, reason = excluded.reason,
           tried_at = excluded.tried_at, times = quarantined_records.times + 1
"""
_OF: Final = (
    "select uri from quarantined_records where did = :did and step = :step and collection in :collections order by uri"
)
_FORGET: Final = "delete from quarantined_records where uri in :uris"
_HEALED: Final = "delete from quarantined_records where uri in :uris and step = :step"

# The stream has since applied this version or a newer one; a pending RSVP is effective, superseded or deleted by now.
# The failure is history.
_IS_OVERTAKEN: Final = """
    ((p.step = 'taking'
      and exists (select 1 from records r
                   where r.uri = p.uri and (r.rev > p.rev or (r.cid = p.cid and r.standing <> 'parked'))))
     or (p.step = 'counting' and not exists (select 1 from records r where r.uri = p.uri and r.standing = 'parked')))
"""
_STANDING: Final = f"from quarantined_records p where not {_IS_OVERTAKEN}"
_COUNT: Final = f"select count(*) as n {_STANDING}"
_PAGE: Final = f"""
    select p.uri, p.did, p.rev, p.step, p.reason, p.found_at, p.tried_at, p.times {_STANDING}
       and p.uri > :after order by p.uri limit :limit
"""
_NAMED: Final = """
    select p.did, p.step, r.subject_uri from quarantined_records p left join records r on r.uri = p.uri
     where p.uri in :uris order by p.uri
"""
_FORGET_OVERTAKEN: Final = f"""
    delete from quarantined_records where uri in (select p.uri from quarantined_records p where {_IS_OVERTAKEN})
"""


def is_of_record(failure: Exception) -> bool:
    """Whether it would fail every time: not an unreachable store or server, and not a lost race.

    A missing foreign key may be a race with an account merge (``apply``). By then that has been retried.
    """
    if isinstance(failure, TransactionConflict) and isinstance(failure.__cause__, ForeignKeyViolated):
        return True
    return not (isinstance(failure, Failure) and is_worth_retrying(failure))


async def settle(
    tx: Transaction, did: str, step: FailedStep, collections: Collection[str], failed: Sequence[Failed]
) -> None:
    """Store what failed in this step of a read in these collections; earlier failures are healed."""
    found = {one.uri: one for one in failed}
    before = await tx.fetch(_OF, did=did, step=step.value, collections=sorted(collections))
    await forget(tx, [row["uri"] for row in before if row["uri"] not in found])
    await put(tx, step, list(found.values()))


async def put(tx: Transaction, step: FailedStep, failed: Sequence[Failed]) -> None:
    """These failed in this step just now; others are unchanged."""
    rows: list[Mapping[str, object]] = []
    for one in sorted(failed, key=lambda some: some.uri):
        uri = parse_at_uri(one.uri)
        said = {"rev": one.rev, "cid": one.cid, "reason": packed(one.reason)}
        rows.append({"uri": one.uri, "did": str(uri.authority), "collection": str(uri.collection), **said})
    await execute_each(tx, _PUT, rows, step=step.value, now=tx.now)


async def healed(tx: Transaction, step: FailedStep, uris: Sequence[str]) -> None:
    """The step has succeeded for these."""
    if uris:
        await tx.execute(_HEALED, uris=list(uris), step=step.value)


async def count(reader: Reader) -> int:
    """How many records are quarantined."""
    row = await reader.fetch_one(_COUNT)
    return 0 if row is None else int(row["n"])


async def page(reader: Reader, *, after: str = "", limit: int = 100) -> list[QuarantinedRecord]:
    """Records after the URI ``after``, in URI order: those of one repository are together."""
    return [
        QuarantinedRecord(
            row["uri"],
            row["did"],
            row["rev"],
            FailedStep(row["step"]),
            unpacked(row["reason"]),
            Instant(row["found_at"]),
            Instant(row["tried_at"]),
            row["times"],
        )
        for row in await reader.fetch(_PAGE, after=after, limit=limit)
    ]


async def read_again(tx: Transaction, uris: Sequence[str]) -> None:
    """Enqueue retries: read their repositories again, or check the events of the RSVPs."""
    if not uris:
        return
    named = await tx.fetch(_NAMED, uris=list(uris))
    for step, job in READING.items():
        about = "subject_uri" if step is FailedStep.COUNTING else "did"
        await enqueue_again(tx, job, {row[about] for row in named if row["step"] == step.value and row[about]})


async def forget(tx: Transaction, uris: Sequence[str]) -> None:
    """Remove them from quarantine; a read that fails on one of them quarantines it again."""
    if uris:
        await tx.execute(_FORGET, uris=list(uris))


async def forget_overtaken(tx: Transaction) -> int:
    """Delete entries that are no longer shown; return how many."""
    return await tx.execute(_FORGET_OVERTAKEN)


async def erase_of(tx: Transaction, did: str) -> None:
    """Erasing a DID deletes the entries about its records."""
    await tx.execute("delete from quarantined_records where did = :did", did=did)
