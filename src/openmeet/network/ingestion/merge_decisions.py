"""Merge decisions: what conflicted and what was chosen, for the host to read and reverse."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from groundwork.clock import Instant
from groundwork.database.addresses import ENGINES, authority_of
from groundwork.database.transaction import Engine, Reader, Row, Transaction
from groundwork.errors import NotFound
from openmeet.domain.paging import Page
from openmeet.network.ingestion.reasons import IngestionReason
from openmeet.network.ingestion.three_way_merge import FieldDecision, MergeReason, MergeSide

PUT = """
    insert into merge_decisions (uri, field, theirs_rev, base, ours, theirs, ours_revision, policy, result, decided_at,
                           reviewed_at, ours_values, theirs_values, after_rev)
    values (:uri, :field, :theirs_rev, :base, :ours, :theirs, :ours_revision, :policy, :result, :now, null,
            :ours_values, :theirs_values, :after_rev)
        on conflict (uri, field, theirs_rev) do nothing
"""

_COLUMNS = (
    "uri, field, theirs_rev, base, ours, theirs, ours_revision, policy, result, decided_at, reviewed_at, ours_values,"
    " theirs_values, choice"
)
LIST_OF_SEVERAL = f"select {_COLUMNS} from merge_decisions where uri in :uris"
# Identifies one decision among those made at the same time.
_NAME = "field || '.' || theirs_rev || '.' || uri"
FIND = f"select {_COLUMNS} from merge_decisions where uri in :uris and field = :field and theirs_rev = :theirs_rev order by uri"

COUNT = "select count(*) as n from merge_decisions where uri = :uri"

REVIEWED = """
    update merge_decisions set reviewed_at = :now, choice = :choice
     where uri = :uri and field = :field and theirs_rev = :theirs_rev
"""

# Decisions that a host can still reverse. RSVP decisions belong to the attendees, who can answer again; links to other
# apps are up to those apps.
OPEN = "reviewed_at is null and ours_values is not null and theirs_values is not null"

# A read brought their version with a later rev than that of the commit that wrote it. That commit is now known.
SET_COMMIT = """
    update merge_decisions set after_rev = :rev
     where uri = :uri and field = :field and theirs_rev > :rev and after_rev < :rev
       and theirs_rev = (select max(c.theirs_rev) from merge_decisions c
                          where c.uri = :uri and c.field = :field and c.theirs_rev > :rev and c.after_rev < :rev)
    returning uri, theirs_rev, ours, ours_revision, theirs, result
"""

OVERRIDDEN_VALUE = """
    select ours from merge_decisions
     where uri = :uri and field = :field and ours_revision = :ours_revision and result = 'theirs' and theirs <> :theirs
     order by theirs_rev desc limit 1
"""

# The change may have been made by a missed commit, or at the latest by this one.
WITH_UNKNOWN_TIME: Mapping[Engine, str] = {
    engine: f"""
    select c.uri, c.theirs_rev, c.ours, c.ours_revision, c.theirs, c.result from merge_decisions c
     where {authority_of(engine, "c.uri")} = :did and c.field = :field and c.result = 'theirs'
       and c.theirs_rev > :rev and c.after_rev < :rev
     order by c.uri, c.theirs_rev desc
"""
    for engine in ENGINES
}

REPLACE_RESULT = """
    update merge_decisions set result = :result, ours_revision = :ours_revision
     where uri = :uri and field = :field and theirs_rev = :theirs_rev
"""

ERASE: Mapping[Engine, str] = {
    engine: f"delete from merge_decisions where {authority_of(engine, 'uri')} = :did" for engine in ENGINES
}


@dataclass(frozen=True, slots=True)
class KeptDecision:
    """A stored decision. ``choice``: the side that a person chose later, if any."""

    uri: str
    theirs_rev: str
    ours_revision: int
    decision: FieldDecision
    decided_at: Instant
    reviewed_at: Instant | None
    choice: MergeSide | None

    @property
    def mark(self) -> tuple[int, str]:
        """The sort key of decision lists."""
        return self.decided_at, f"{self.decision.field}.{self.theirs_rev}.{self.uri}"


@dataclass(frozen=True, slots=True)
class EarlierDecision:
    """A decision about a version that was read as of ``theirs_rev`` but written earlier."""

    uri: str
    theirs_rev: str
    ours: str
    ours_revision: int
    theirs: str
    result: MergeSide


async def store(
    tx: Transaction,
    *,
    uri: str,
    theirs_rev: str,
    ours_revision: int,
    decisions: tuple[FieldDecision, ...],
    after_rev: str = "",
) -> None:
    """Store each decision. Applying the same message again stores nothing. ``after_rev``: see ``seen.SeenRecord``."""
    for decision in decisions:
        await tx.execute(
            PUT,
            uri=uri,
            field=decision.field,
            theirs_rev=theirs_rev,
            base=decision.base,
            ours=decision.ours,
            theirs=decision.theirs,
            ours_revision=ours_revision,
            policy=decision.policy.value,
            result=decision.result.value,
            ours_values=decision.ours_values,
            theirs_values=decision.theirs_values,
            after_rev=after_rev,
            now=tx.now,
        )


async def of_records(reader: Reader, uris: Sequence[str], page: Page) -> list[KeptDecision]:
    """Return the decisions about these records, newest first."""
    if not uris:
        return []
    statement = f"{LIST_OF_SEVERAL}{page.clause('decided_at', _NAME)}"
    return [_decision_of(row) for row in await reader.fetch(statement, uris=list(uris), **page.values)]


async def find_one(reader: Reader, uris: Sequence[str], field: str, theirs_rev: str) -> KeptDecision:
    """Return the decision about this field of one of these records. Raises NotFound."""
    rows = await reader.fetch(FIND, uris=list(uris), field=field, theirs_rev=theirs_rev) if uris else []
    if not rows:
        raise NotFound(IngestionReason.NO_SUCH_DECISION)
    return _decision_of(rows[0])


async def count_open(reader: Reader) -> int:
    """Return the number of decisions that a host could reverse and has not reviewed."""
    row = await reader.fetch_one(f"select count(*) as n from merge_decisions where {OPEN}")
    return 0 if row is None else int(row["n"])


async def count(reader: Reader, uri: str) -> int:
    """Return the number of decisions about one record."""
    row = await reader.fetch_one(COUNT, uri=uri)
    return 0 if row is None else int(row["n"])


async def of_commit(tx: Transaction, *, uri: str, field: str, rev: str) -> EarlierDecision | None:
    """Return the decision about a version whose commit ``rev`` has become known only now. Each decision is found only
    once.
    """
    row = await tx.fetch_one(SET_COMMIT, uri=uri, field=field, rev=rev)
    return None if row is None else _earlier_decision_of(row)


async def overridden_local_value(
    reader: Reader, *, uri: str, field: str, ours_revision: int, besides: str
) -> str | None:
    """Return our value, as of this revision, that was replaced by a value of this record other than ``besides``; None
    if there is none.
    """
    row = await reader.fetch_one(OVERRIDDEN_VALUE, uri=uri, field=field, ours_revision=ours_revision, theirs=besides)
    return None if row is None else str(row["ours"])


async def with_unknown_time(reader: Reader, did: str, *, field: str, rev: str) -> list[EarlierDecision]:
    """Return merge decisions about versions that may have been written at or before ``rev`` but became known later."""
    rows = await reader.fetch(WITH_UNKNOWN_TIME[reader.engine], did=did, field=field, rev=rev)
    return [_earlier_decision_of(row) for row in rows]


async def replace_result(
    tx: Transaction, decision: EarlierDecision, *, field: str, result: MergeSide, ours_revision: int
) -> None:
    """Replace the result of a decision that was based on a wrong time. ``ours_revision``: our new revision."""
    await tx.execute(
        REPLACE_RESULT,
        uri=decision.uri,
        field=field,
        theirs_rev=decision.theirs_rev,
        result=result.value,
        ours_revision=ours_revision,
    )


async def mark_reviewed(tx: Transaction, kept: KeptDecision, choice: MergeSide) -> None:
    """Note which side the host has chosen."""
    await tx.execute(
        REVIEWED,
        uri=kept.uri,
        field=kept.decision.field,
        theirs_rev=kept.theirs_rev,
        choice=choice.value,
        now=tx.now,
    )


async def erase_of(tx: Transaction, did: str) -> None:
    """Delete the merge decisions about the records of an erased DID."""
    await tx.execute(ERASE[tx.engine], did=did)


def _earlier_decision_of(row: Row) -> EarlierDecision:
    return EarlierDecision(
        row["uri"], row["theirs_rev"], row["ours"], row["ours_revision"], row["theirs"], MergeSide(row["result"])
    )


def _bytes(value: bytes | memoryview | None) -> bytes | None:
    return None if value is None else bytes(value)


def _decision_of(row: Row) -> KeptDecision:
    return KeptDecision(
        row["uri"],
        row["theirs_rev"],
        row["ours_revision"],
        FieldDecision(
            row["field"],
            row["base"],
            row["ours"],
            row["theirs"],
            MergeReason(row["policy"]),
            MergeSide(row["result"]),
            _bytes(row["ours_values"]),
            _bytes(row["theirs_values"]),
        ),
        Instant(row["decided_at"]),
        None if row["reviewed_at"] is None else Instant(row["reviewed_at"]),
        None if row["choice"] is None else MergeSide(row["choice"]),
    )
