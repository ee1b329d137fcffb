"""SQL for merge decisions, and what settles them: the choice of a host, or an edit of the field."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from groundwork.clock import Instant
from groundwork.database.bulk import IDS_PER_STATEMENT
from groundwork.database.expressions import ENGINES, authority_of
from groundwork.database.transaction import Engine, Reader, Row, Transaction
from openmeet.domain.merge_decisions.model import EarlierDecision, FieldDecision, KeptDecision, MergeReason, MergeSide
from openmeet.domain.paging import Page

PUT = """
    insert into merge_decisions (uri, field, theirs_rev, base, ours, theirs, ours_revision, policy, result, decided_at,
                           reviewed_at, ours_values, theirs_values, previous_known_rev)
    values (:uri, :field, :theirs_rev, :base, :ours, :theirs, :ours_revision, :policy, :result, :now, null,
            :ours_values, :theirs_values, :previous_known_rev)
        on conflict (uri, field, theirs_rev) do nothing
"""

_COLUMNS = (
    "uri, field, theirs_rev, base, ours, theirs, ours_revision, policy, result, decided_at, reviewed_at, ours_values,"
    " theirs_values, choice"
)
LIST_OF_SEVERAL = f"select {_COLUMNS} from merge_decisions where uri in :uris"
# Identifies one decision among those made at the same time.
_NAME = "field || '.' || theirs_rev || '.' || uri"
FIND = (
    f"select {_COLUMNS} from merge_decisions where uri in :uris and field = :field and theirs_rev = :theirs_rev "
    "order by uri"
)

COUNT = "select count(*) as n from merge_decisions where uri = :uri"

REVIEWED = """
    update merge_decisions set reviewed_at = :now, choice = :choice
     where uri = :uri and field = :field and theirs_rev = :theirs_rev
"""

# Decisions ``c`` that a host can still reverse. RSVP decisions belong to the attendees, who can answer again; links to
# other apps are up to those apps. A later decision about the same field replaces the earlier ones.
_REVERSIBLE = """c.ours_values is not null and c.theirs_values is not null
       and not exists (select 1 from merge_decisions later
                        where later.uri = c.uri and later.field = c.field and later.theirs_rev > c.theirs_rev)"""
OPEN = f"c.reviewed_at is null and {_REVERSIBLE}"
# Decisions ``c`` whose value is in use, also those that a host has reviewed.
IN_USE_OF_RECORDS = f"""
    select {_COLUMNS} from merge_decisions c
     where c.uri in :uris and (c.reviewed_at is null or c.choice is not null) and {_REVERSIBLE} order by c.uri, c.field
"""

# A read brought their version with a later rev than that of the commit that wrote it. That commit is now known.
SET_COMMIT = """
    update merge_decisions set previous_known_rev = :rev
     where uri = :uri and field = :field and theirs_rev > :rev and previous_known_rev < :rev
       and theirs_rev = (select max(c.theirs_rev) from merge_decisions c
                          where c.uri = :uri and c.field = :field and c.theirs_rev > :rev and c.previous_known_rev < :rev)
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
       and c.theirs_rev > :rev and c.previous_known_rev < :rev
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
class EditOfRecord:
    """An edit of something that has a record. ``before`` and ``after`` return the value of a field, which is named as in
    the decisions.
    """

    uri: str
    before: Callable[[str], object]
    after: Callable[[str], object]


async def store(
    tx: Transaction,
    *,
    uri: str,
    theirs_rev: str,
    ours_revision: int,
    decisions: tuple[FieldDecision, ...],
    previous_known_rev: str = "",
) -> None:
    """Store each decision. Applying the same message again stores nothing. ``previous_known_rev``: see
    ``seen.SeenRecord``.
    """
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
            previous_known_rev=previous_known_rev,
            now=tx.now,
        )


async def of_records(reader: Reader, uris: Sequence[str], page: Page) -> list[KeptDecision]:
    """Return the decisions about these records, newest first."""
    if not uris:
        return []
    statement = f"{LIST_OF_SEVERAL}{page.clause('decided_at', _NAME)}"
    return [_decision_of(row) for row in await reader.fetch(statement, uris=list(uris), **page.values)]


async def find(reader: Reader, uris: Sequence[str], field: str, theirs_rev: str) -> KeptDecision | None:
    """Return the decision about this field of one of these records."""
    rows = await reader.fetch(FIND, uris=list(uris), field=field, theirs_rev=theirs_rev) if uris else []
    return _decision_of(rows[0]) if rows else None


async def count_open(reader: Reader) -> int:
    """Return the number of decisions that a host could reverse and has not reviewed."""
    row = await reader.fetch_one(f"select count(*) as n from merge_decisions c where {OPEN}")
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


async def settle_edited(tx: Transaction, edits: Sequence[EditOfRecord]) -> None:
    """Settle the decisions about the fields that these edits changed, here or in another app: nobody has to be asked
    about them any more. If the field now has the value of one side, that side is chosen.
    """
    by_uri = {one.uri: one for one in edits}
    uris, rows = list(by_uri), list[Row]()
    for start in range(0, len(uris), IDS_PER_STATEMENT):
        rows += await tx.fetch(IN_USE_OF_RECORDS, uris=uris[start : start + IDS_PER_STATEMENT])
    for kept in map(_decision_of, rows):
        edit = by_uri[kept.uri]
        ours, theirs = _values(kept.decision.ours_values), _values(kept.decision.theirs_values)
        if all(edit.before(name) == edit.after(name) for name in ours):
            continue
        # In the stored form, because only the merge rule of the record knows the types.
        now = _values(msgspec.json.encode({name: edit.after(name) for name in ours}))
        choice = {MergeSide.OURS: ours, MergeSide.THEIRS: theirs}
        await mark_reviewed(tx, kept, next((side for side, values in choice.items() if values == now), None))


async def settle_outdated(tx: Transaction, uri: str, value_of: Callable[[str], object]) -> None:
    """Settle the decisions about a record that was not in use for some time: a field that has had another value since
    needs no decision. ``value_of`` returns the value of a field.
    """
    for kept in map(_decision_of, await tx.fetch(IN_USE_OF_RECORDS, uris=[uri])):
        ours = _values(kept.decision.ours_values)
        if _values(msgspec.json.encode({name: value_of(name) for name in ours})) != ours:
            await mark_reviewed(tx, kept, None)


def _values(stored: bytes | None) -> dict[str, object]:
    return {} if stored is None else msgspec.json.decode(stored, type=dict[str, object])


async def mark_reviewed(tx: Transaction, kept: KeptDecision, choice: MergeSide | None) -> None:
    """Note which side was chosen; None if the field has another value now."""
    await tx.execute(
        REVIEWED,
        uri=kept.uri,
        field=kept.decision.field,
        theirs_rev=kept.theirs_rev,
        choice=choice and choice.value,
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
