"""Records of answers, looked up again in the repositories of those who wrote them: what vanished or changed unheard is found.

An event may have tens of thousands of answers: what a host asks for is one debt, and it is paid piece by piece.
"""

from typing import Final

from groundwork.database.transaction import Database, Reader, Transaction
from groundwork.outbox import owe
from groundwork.outbox.pay import Payer
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.events.queries import by_id
from openmeet.outbox import publications
from openmeet.outbox.kinds import Debt
from openmeet.outbox.publications import Kind, State

# Answers, and records, that one transaction looks at.
PIECE: Final = 500

# Those that wait or count beside another.
_BESIDE: Final = """
    select r.did, r.uri from records r
     where r.subject_uri = :event_uri and r.uri <> r.subject_uri and r.standing in ('mapped', 'parked')
"""
# With those that count here, whether or not a record of theirs was ever heard of.
_COUNT: Final = f"""
    select count(*) as n from (
      select a.record_uri as uri from attendances a where a.event_id = :event_id and a.record_uri is not null
      union
      select b.uri from ({_BESIDE}) as b
    ) as asked
"""
_STATES: Final = """
    select coalesce(p.state, 'withheld') as state, count(*) as n
      from attendances a left join publications p on p.kind = 'rsvp' and p.subject_id = a.id
     where a.event_id = :event_id group by coalesce(p.state, 'withheld') order by 1
"""
_NEXT_ANSWERS: Final = """
    select id, user_id, record_uri from attendances where event_id = :event_id and user_id > :after order by user_id limit :limit
"""
_NEXT_BESIDE: Final = f"{_BESIDE} and (r.did, r.uri) > (:did, :uri) order by r.did, r.uri limit :limit"


async def compare_answers(tx: Transaction, event: Event) -> int:
    """Have every record of an answer to the event decided anew and proven by its repository, there or gone; how many are asked for.

    Only who hosts it may ask. One read of one record each, a bounded number of them per host and minute (``ingestion.host_budgets``).
    """
    await owe.owe_again(tx, Debt.COMPARE_ANSWERS, [event.id])
    row = await tx.fetch_one(_COUNT, event_id=event.id, event_uri=event.record_uri or "")
    return int(row["n"]) if row else 0


async def states(reader: Reader, event_id: EventId) -> dict[State, int]:
    """How many answers to the event have a record that stands so; those that owe nothing are ``WITHHELD``."""
    return {State(row["state"]): int(row["n"]) for row in await reader.fetch(_STATES, event_id=event_id)}


def comparing_payer(db: Database) -> Payer:
    """The payer of ``Debt.COMPARE_ANSWERS``; the subject is the event. Every piece is a transaction of its own, and may be paid twice."""

    async def pay(debt: owe.Debt) -> None:
        async with db.reader() as reader:
            event = await by_id(reader, EventId(debt.subject))
        if event is None or event.is_gone:
            return
        user_id: str | None = ""
        while user_id is not None:
            async with db.transaction() as tx:
                user_id = await _answers(tx, event, debt.revision, user_id)
        behind: tuple[str, str] | None = ("", "")
        while behind is not None and event.record_uri is not None:
            async with db.transaction() as tx:
                behind = await _beside(tx, event.record_uri, debt.revision, behind)

    return pay


async def _answers(tx: Transaction, event: Event, revision: int, after: str) -> str | None:
    """The next answers; whose was the last of them, None at the end. What is decided about each is the publisher's, by what its owner wants."""
    rows = await tx.fetch(_NEXT_ANSWERS, event_id=event.id, after=after, limit=PIECE)
    await publications.look_again(tx, kind=Kind.RSVP, subject_ids=[row["id"] for row in rows])
    await _prove(tx, [row["record_uri"] for row in rows if row["record_uri"] is not None], revision)
    return rows[-1]["user_id"] if len(rows) == PIECE else None


async def _beside(tx: Transaction, event_uri: str, revision: int, behind: tuple[str, str]) -> tuple[str, str] | None:
    did, uri = behind
    rows = await tx.fetch(_NEXT_BESIDE, event_uri=event_uri, did=did, uri=uri, limit=PIECE)
    await _prove(tx, [row["uri"] for row in rows], revision)
    return (rows[-1]["did"], rows[-1]["uri"]) if len(rows) == PIECE else None


async def _prove(tx: Transaction, uris: list[str], revision: int) -> None:
    await owe.owe_many(tx, Debt.PROVE_RECORD, [(uri, revision, tx.now) for uri in uris])
