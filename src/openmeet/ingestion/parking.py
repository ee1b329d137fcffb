"""Early arrivals: an answer whose event has not been seen waits for it, and the event is fetched once.

The answers themselves stand in ``records`` as parked; nothing else is kept. What is parked is capped per author and
forgotten after thirty days (``records.seen``).
"""

from at_protocol.syntax.at_uri import AtUri
from at_protocol.syntax.did import parse_did
from groundwork.database.transaction import Transaction
from groundwork.outbox.owe import owe
from openmeet.debts.kinds import Debt
from openmeet.events.model import EventId
from openmeet.ingestion import answers
from openmeet.records import seen
from openmeet.records.seen import Standing


async def park(tx: Transaction, subject: AtUri) -> None:
    """The event of an answer is not here: it is asked for once, however many answers wait."""
    await owe(tx, Debt.FETCH_SUBJECT, str(subject))


async def release(tx: Transaction, subject: AtUri, event_id: EventId | None) -> int:
    """The event is here: answers that waited for it count, in order of first arrival; how many."""
    if event_id is None:
        return 0
    waiting = await seen.parked_for(tx, str(subject))
    for answer in waiting:
        await seen.set_standing(tx, answer.uri, Standing.MAPPED)
    for did in dict.fromkeys(answer.did for answer in waiting):
        await answers.derive(tx, did=parse_did(did), subject_uri=str(subject), event_id=event_id)
    return len(waiting)


async def resolve(tx: Transaction, *, sloppy: AtUri, durable: AtUri, event_id: EventId | None) -> None:
    """The handle that stood for an author is this DID: answers wait under the durable uri, or count at once."""
    await seen.resolve_subject(tx, sloppy=str(sloppy), durable=str(durable))
    await release(tx, durable, event_id)
