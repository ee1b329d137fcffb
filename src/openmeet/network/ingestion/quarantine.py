"""Quarantined records: records that could not be read, repaired or applied because of their own content, with
the reasons.

A record in quarantine does not block the other records of its repository. The table is ``quarantined_records``.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from at_protocol.syntax.at_uri import parse_at_uri
from groundwork.clock import Instant
from groundwork.database.bulk import execute_each
from groundwork.database.pages import delete_some
from groundwork.database.transaction import (
    ForeignKeyViolated,
    Reader,
    Transaction,
    TransactionConflict,
    TransactionTooLong,
)
from groundwork.errors import Explanation, Failure, decode_explanation, encode_explanation, reason_of
from groundwork.outbox.jobs import enqueue_again
from groundwork.outbox.retry import is_worth_retrying
from openmeet.network.records.reading_notes import shortened
from openmeet.network.records.reasons import RecordReason
from openmeet.outbox.kinds import JobKind

# If more records fail, individual records are not the cause (most likely it is a bug in our code). The read then fails,
# as with an unreachable database, and an operator sees why.
MAX_QUARANTINED: Final = 100

# Maximum number of characters of a reason: enough for a database's message, but not for a whole record quoted in it.
_MAX_REASON: Final = 500


class FailedStep(StrEnum):
    """The step that failed: applying the record, repairing its row (``reconcile``), or applying an RSVP whose event has
    arrived (``rsvps_awaiting_event``). SQL statements contain the values.
    """

    APPLY = "apply"
    REPAIR = "repair"
    APPLY_AWAITING = "apply_awaiting"


# The job that retries a step: it reads the repository of the record or, for an RSVP that awaited its event, that event.
RETRY_JOB: Final = {
    FailedStep.APPLY: JobKind.BACKFILL,
    FailedStep.REPAIR: JobKind.RECONCILE,
    FailedStep.APPLY_AWAITING: JobKind.FETCH_SUBJECT,
}


@dataclass(frozen=True, slots=True)
class RecordFailure:
    """A record version that failed, as of the rev of the read, and the error.

    ``cid``: None if the record was to be deleted or is unknown.
    """

    uri: str
    rev: str
    failure: Exception
    cid: str | None = None

    @property
    def reason(self) -> Explanation:
        cause = self.failure.__cause__
        return reason_not_applied(cause if isinstance(cause, ForeignKeyViolated) else self.failure)


def reason_not_applied(failure: Exception) -> Explanation:
    """Return the reason to store for a record or message that failed. The message of a driver or parser is quoted."""
    if isinstance(failure, Failure):
        return reason_of(failure)
    # It may contain characters that no database stores.
    message = str(failure).replace("\0", "").encode(errors="replace").decode()
    return RecordReason.NOT_APPLIED(error=type(failure).__name__, detail=shortened(message, _MAX_REASON))


@dataclass(frozen=True, slots=True)
class QuarantinedRecord:
    """A quarantined record. ``found_at``: first failure. ``tried_at``: last failure. ``times``: number of failures."""

    uri: str
    did: str
    rev: str
    step: FailedStep
    reason: Explanation | None
    found_at: Instant
    tried_at: Instant
    times: int


_ADD: Final = """
    insert into quarantined_records (uri, did, collection, rev, cid, step, reason, found_at, tried_at, times)
    select given.uri, given.did, given.collection, given.rev, given.cid, cast(:step as text), given.reason,
           cast(:now as bigint), cast(:now as bigint), 1
      from each(uri text, did text, collection text, rev text, cid text, reason text) as given where 1 = 1
        on conflict (uri) do update
       set rev = excluded.rev, cid = excluded.cid, step = excluded.step, reason = excluded.reason,
           tried_at = excluded.tried_at, times = quarantined_records.times + 1
"""
_IN_STEP: Final = (
    "select uri from quarantined_records where did = :did and step = :step and collection in :collections order by uri"
)
_REMOVE: Final = "delete from quarantined_records where uri in :uris"
_RELEASE: Final = "delete from quarantined_records where uri in :uris and step = :step"

# The failure is obsolete: the stream has since applied this version or a newer one, or the awaiting RSVP is by now
# effective, superseded or deleted.
_IS_OBSOLETE: Final = """
    ((p.step = 'apply'
      and exists (select 1 from records r
                   where r.uri = p.uri and (r.rev > p.rev or (r.cid = p.cid and r.state <> 'awaits_event'))))
     or (p.step = 'apply_awaiting' and not exists (select 1 from records r where r.uri = p.uri
         and r.state = 'awaits_event')))
"""
_SHOWN: Final = f"from quarantined_records p where not {_IS_OBSOLETE}"
_COUNT: Final = f"select count(*) as n {_SHOWN}"
_PAGE: Final = f"""
    select p.uri, p.did, p.rev, p.step, p.reason, p.found_at, p.tried_at, p.times {_SHOWN}
       and p.uri > :after order by p.uri limit :limit
"""
_NAMED: Final = """
    select p.did, p.step, r.subject_uri from quarantined_records p left join records r on r.uri = p.uri
     where p.uri in :uris order by p.uri
"""
_OBSOLETE: Final = f"uri in (select p.uri from quarantined_records p where {_IS_OBSOLETE})"


def is_of_record(failure: Exception) -> bool:
    """Whether a failure is caused by the record itself and would recur each time, as opposed to an unreachable server
    or a lost race.

    A missing foreign key can be a race with an account merge (``apply``), but by now that has been retried.
    """
    if isinstance(failure, TransactionConflict) and isinstance(failure.__cause__, ForeignKeyViolated):
        return True
    return not (isinstance(failure, Failure) and is_worth_retrying(failure))


def is_worth_splitting(failure: Exception) -> bool:
    """Whether several records that failed together are applied in smaller parts: one of them is the cause, or all of them
    take longer than a transaction may last. In the second case, a single record is not to blame.
    """
    return is_of_record(failure) or isinstance(failure, TransactionTooLong)


async def store_result(
    tx: Transaction, did: str, step: FailedStep, collections: Collection[str], failed: Sequence[RecordFailure]
) -> None:
    """Store which records of these collections failed in a step of a read. Others that failed in that step before are
    released.
    """
    failures_by_uri = {one.uri: one for one in failed}
    before = await tx.fetch(_IN_STEP, did=did, step=step.value, collections=sorted(collections))
    await remove(tx, [row["uri"] for row in before if row["uri"] not in failures_by_uri])
    await add(tx, step, list(failures_by_uri.values()))


async def add(tx: Transaction, step: FailedStep, failed: Sequence[RecordFailure]) -> None:
    """Quarantine records that have just failed in this step. Other records are not affected."""
    rows: list[Mapping[str, object]] = []
    for one in sorted(failed, key=lambda failure: failure.uri):
        uri = parse_at_uri(one.uri)
        details = {"rev": one.rev, "cid": one.cid, "reason": encode_explanation(one.reason)}
        rows.append({"uri": one.uri, "did": str(uri.authority), "collection": str(uri.collection), **details})
    await execute_each(tx, _ADD, rows, step=step.value, now=tx.now)


async def release(tx: Transaction, step: FailedStep, uris: Sequence[str]) -> None:
    """Release records for which the step has succeeded."""
    if uris:
        await tx.execute(_RELEASE, uris=list(uris), step=step.value)


async def count(reader: Reader) -> int:
    """Return the number of quarantined records."""
    row = await reader.fetch_one(_COUNT)
    return 0 if row is None else int(row["n"])


async def page(reader: Reader, *, after: str = "", limit: int = 100) -> list[QuarantinedRecord]:
    """Return quarantined records after the URI ``after``, in URI order, so that those of one repository are together."""
    return [
        QuarantinedRecord(
            row["uri"],
            row["did"],
            row["rev"],
            FailedStep(row["step"]),
            decode_explanation(row["reason"]),
            Instant(row["found_at"]),
            Instant(row["tried_at"]),
            row["times"],
        )
        for row in await reader.fetch(_PAGE, after=after, limit=limit)
    ]


async def retry(tx: Transaction, uris: Sequence[str]) -> None:
    """Retry quarantined records: enqueue reads of their repositories, or of the events of RSVPs."""
    if not uris:
        return
    quarantined_rows = await tx.fetch(_NAMED, uris=list(uris))
    for step, job in RETRY_JOB.items():
        about = "subject_uri" if step is FailedStep.APPLY_AWAITING else "did"
        await enqueue_again(
            tx, job, {row[about] for row in quarantined_rows if row["step"] == step.value and row[about]}
        )


async def remove(tx: Transaction, uris: Sequence[str]) -> None:
    """Remove records from quarantine. A read that fails on one of them quarantines it again."""
    if uris:
        await tx.execute(_REMOVE, uris=list(uris))


async def delete_obsolete(tx: Transaction) -> int:
    """Delete failures that newer messages have resolved and that are no longer shown; return their number."""
    return await delete_some(tx, "quarantined_records", _OBSOLETE)


async def erase_of(tx: Transaction, did: str) -> None:
    """Delete the quarantined records of an erased DID."""
    await tx.execute("delete from quarantined_records where did = :did", did=did)
