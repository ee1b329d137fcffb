"""Records put aside: what a reading could not take over for a reason of the record's own, so that the others of its repository are seen.

A row says which record, and why; the record itself stands in its repository. It goes when a reading takes the record over (each
tries again), with the account, or when an operator forgets it; one of which a newer version was taken over meanwhile is shown no more.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from at_protocol.syntax.at_uri import parse_at_uri
from groundwork.clock import Instant
from groundwork.database.for_each import write_each
from groundwork.database.transaction import ForeignKeyViolated, Reader, Transaction, TransactionConflict
from groundwork.errors import Failure
from groundwork.outbox.owe import owe_again
from groundwork.outbox.retry import is_worth_retrying
from openmeet.debts.kinds import Debt
from openmeet.records.reading import shortened

# Characters of a reason: a sentence of a database, and no record that somebody quotes in it.
_MOST_REASON: Final = 500


class Step(StrEnum):
    """What failed: taking the record over, or mending a row that lost touch with it (``reconciling``)."""

    TAKING = "taking"
    MENDING = "mending"


# What is read again to try a step again.
READING: Final = {Step.TAKING: Debt.BACKFILL, Step.MENDING: Debt.RECONCILE}


@dataclass(frozen=True, slots=True)
class Failed:
    """A record, as of the rev of the reading, and what it failed with."""

    uri: str
    rev: str
    failure: Exception

    @property
    def reason(self) -> str:
        cause = self.failure.__cause__
        failure = cause if isinstance(cause, ForeignKeyViolated) else self.failure
        # What a driver or a parser quotes may hold what no database stores.
        said = f"{type(failure).__name__}: {failure}".replace("\0", "")
        return shortened(said.encode(errors="replace").decode(), _MOST_REASON)


@dataclass(frozen=True, slots=True)
class PutAside:
    """A row. ``found_at``: first; ``tried_at``: last; ``times``: how many readings failed on it."""

    uri: str
    did: str
    rev: str
    step: Step
    reason: str
    found_at: Instant
    tried_at: Instant
    times: int


_PUT: Final = """
    insert into records_put_aside (uri, did, collection, rev, step, reason, found_at, tried_at, times)
    select given.uri, cast(:did as text), given.collection, given.rev, cast(:step as text), given.reason,
           cast(:now as bigint), cast(:now as bigint), 1
      from each(uri text, collection text, rev text, reason text) as given where 1 = 1
        on conflict (uri) do update
       set rev = excluded.rev, step = excluded.step, reason = excluded.reason, tried_at = excluded.tried_at,
           times = records_put_aside.times + 1
"""
_OF: Final = (
    "select uri from records_put_aside where did = :did and step = :step and collection in :collections order by uri"
)
_FORGET: Final = "delete from records_put_aside where uri in :uris"

# A newer version was taken over since, by the stream: what failed is history.
_STANDING: Final = """
    from records_put_aside p
     where not exists (select 1 from records r where r.uri = p.uri and r.rev > p.rev and p.step = 'taking')
"""
_COUNT: Final = f"select count(*) as n {_STANDING}"
_PAGE: Final = f"""
    select p.uri, p.did, p.rev, p.step, p.reason, p.found_at, p.tried_at, p.times {_STANDING}
       and p.uri > :after order by p.uri limit :limit
"""
_NAMED: Final = "select did, step from records_put_aside where uri in :uris order by did, step"
_FORGET_OVERTAKEN: Final = """
    delete from records_put_aside
     where step = 'taking'
       and exists (select 1 from records r where r.uri = records_put_aside.uri and r.rev > records_put_aside.rev)
"""


def is_of_record(failure: Exception) -> bool:
    """Whether it would fail alike whenever it is tried: neither a store or a server that is away, nor a race that was lost.

    A row that is not there for a foreign key may be a race with somebody who is just being joined with another row of theirs
    (``apply``). By then that has been tried again.
    """
    if isinstance(failure, TransactionConflict) and isinstance(failure.__cause__, ForeignKeyViolated):
        return True
    return not (isinstance(failure, Failure) and is_worth_retrying(failure))


async def settle(tx: Transaction, did: str, step: Step, collections: Collection[str], failed: Sequence[Failed]) -> None:
    """What of these collections of a repository failed in this step of a reading just now; what failed before has healed."""
    found = {one.uri: one for one in failed}
    before = await tx.fetch(_OF, did=did, step=step.value, collections=sorted(collections))
    await forget(tx, [row["uri"] for row in before if row["uri"] not in found])
    rows: list[Mapping[str, object]] = [
        {"uri": uri, "collection": str(parse_at_uri(uri).collection), "rev": one.rev, "reason": one.reason}
        for uri, one in sorted(found.items())
    ]
    await write_each(tx, _PUT, rows, did=did, step=step.value, now=tx.now)


async def count(reader: Reader) -> int:
    """How many stand aside."""
    row = await reader.fetch_one(_COUNT)
    return 0 if row is None else int(row["n"])


async def page(reader: Reader, *, after: str = "", limit: int = 100) -> list[PutAside]:
    """Those behind the uri ``after``, in the order of uris: one repository's stand together."""
    return [
        PutAside(
            row["uri"],
            row["did"],
            row["rev"],
            Step(row["step"]),
            row["reason"],
            Instant(row["found_at"]),
            Instant(row["tried_at"]),
            row["times"],
        )
        for row in await reader.fetch(_PAGE, after=after, limit=limit)
    ]


async def read_again(tx: Transaction, uris: Sequence[str]) -> None:
    """Owe what tries these again: their repositories are read once more."""
    if not uris:
        return
    named = await tx.fetch(_NAMED, uris=list(uris))
    for step, debt in READING.items():
        await owe_again(tx, debt, {row["did"] for row in named if row["step"] == step.value})


async def forget(tx: Transaction, uris: Sequence[str]) -> None:
    """They stand aside no more; a reading that fails on one of them puts it there again."""
    if uris:
        await tx.execute(_FORGET, uris=list(uris))


async def forget_overtaken(tx: Transaction) -> int:
    """Drop those of which a newer version was taken over; how many."""
    return await tx.execute(_FORGET_OVERTAKEN)


async def erase_of(tx: Transaction, did: str) -> None:
    """Erasure of a DID takes along what is said of its records."""
    await tx.execute("delete from records_put_aside where did = :did", did=did)
