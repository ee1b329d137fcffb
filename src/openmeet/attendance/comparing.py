"""Records of answers, looked up again in the repositories of those who wrote them: what vanished or changed unheard is found."""

from typing import Final

from groundwork.database.transaction import Transaction
from groundwork.outbox.owe import owe_many
from openmeet.debts.kinds import Debt
from openmeet.events.model import Event

# Those that count here, whether or not a record of theirs was ever heard of, and those that wait or count beside another.
_RECORDS: Final = """
    select a.record_uri as uri from attendances a where a.event_id = :event_id and a.record_uri is not null
    union
    select r.uri from records r
     where r.subject_uri = :event_uri and r.uri <> r.subject_uri and r.standing in ('mapped', 'parked')
    order by uri
"""


async def compare_answers(tx: Transaction, event: Event) -> int:
    """Have every record of an answer to the event proven by its repository, there or gone; how many. Only who hosts it may ask.

    One read of one record each, a bounded number of them per host and minute (``ingestion.host_budgets``).
    """
    rows = await tx.fetch(_RECORDS, event_id=event.id, event_uri=event.record_uri or "")
    await owe_many(tx, Debt.PROVE_RECORD, [(row["uri"], int(tx.now), tx.now) for row in rows])
    return len(rows)
