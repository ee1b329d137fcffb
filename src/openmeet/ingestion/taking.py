"""What a reading found is applied in batches; a record that fails for a reason of its own is put aside, and all others are taken.

A batch that fails is taken apart into halves, each in a transaction of its own, until what fails is one record, of which nothing is
kept. An event may fail on an answer of somebody else that waited for it: then it is taken without those that wait, which are counted one by
one (``fetching``). What is no record's fault (the store is away, a race was lost) fails the reading, which is tried again as a whole: what was
taken until then is known. Halves bear it as batches do: messages in any order end the same (``apply``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from groundwork.database.one_hop import in_one_hop
from groundwork.database.transaction import Database, Transaction
from groundwork.outbox.owe import owe_many
from groundwork.telemetry.logs import log
from openmeet.debts.kinds import Debt
from openmeet.ingestion.apply import apply
from openmeet.ingestion.events import Here
from openmeet.ingestion.put_aside import Failed, is_of_record
from openmeet.ingestion.readings import Outcome
from openmeet.records import first_reads
from openmeet.records.collections import EVENTS
from openmeet.records.message import Operation, RecordMessage

# Records per transaction: well below the two seconds that one may last.
BATCH = 100
# Where more than these fail, something is wrong that is no matter of single records (a fault of ours, most likely): the reading
# fails, as one that cannot reach its store does, and a person sees why.
MOST_ASIDE: Final = 100


@dataclass(frozen=True, slots=True)
class Taken:
    """``is_whole``: nothing of it was left alone because its kind is switched off. ``failed``: what is to be put aside."""

    is_whole: bool
    failed: Sequence[Failed]


async def take_each(db: Database, here: Here, messages: Sequence[RecordMessage], *, room: int = MOST_ASIDE) -> Taken:
    """Apply the messages of one repository in their order; ``room``: so many may fail, the next one fails the call.

    Raises what the database raises where it is no record's fault.
    """
    is_whole, failed = True, list[Failed]()
    for start in range(0, len(messages), BATCH):
        outcomes, aside = await _take(db, here, messages[start : start + BATCH])
        is_whole = is_whole and Outcome.SWITCHED_OFF not in outcomes
        failed += aside
        if len(failed) > room:
            raise failed[-1].failure
    return Taken(is_whole, failed)


async def _take(db: Database, here: Here, messages: Sequence[RecordMessage]) -> tuple[set[Outcome], list[Failed]]:
    try:
        return await in_one_hop(db, partial(_apply, here, messages)), []
    except Exception as failure:
        if not is_of_record(failure):
            raise
        if len(messages) == 1:
            return await _take_alone(db, here, messages[0], failure)
    outcomes, failed = set[Outcome](), list[Failed]()
    # Halves, so that a single bad record costs a few transactions and not one per neighbour.
    middle = len(messages) // 2
    for half in (messages[:middle], messages[middle:]):
        became, aside = await _take(db, here, half)
        outcomes |= became
        failed += aside
    return outcomes, failed


async def _take_alone(
    db: Database, here: Here, message: RecordMessage, failure: Exception
) -> tuple[set[Outcome], list[Failed]]:
    """What becomes of one record that failed by itself, or with those that waited for it."""
    if message.collection in EVENTS and message.body is not None:
        try:
            return await in_one_hop(db, partial(_apply_without_waiting, here, message)), []
        except Exception as again:
            if not is_of_record(again):
                raise
            failure = again
    one = Failed(message.uri, message.rev, failure)
    log.error("record.put_aside", uri=one.uri, rev=one.rev, reason=one.reason)
    return set(), [one]


async def _apply_without_waiting(here: Here, message: RecordMessage, tx: Transaction) -> set[Outcome]:
    outcomes = await apply(tx, here, [message], counts_waiting=False)
    await first_reads.step(tx, message.did, 1)
    await owe_many(tx, Debt.FETCH_SUBJECT, [(message.uri, int(tx.now), tx.now)])
    return set(outcomes)


async def _apply(here: Here, messages: Sequence[RecordMessage], tx: Transaction) -> set[Outcome]:
    outcomes = await apply(tx, here, messages)
    await first_reads.step(tx, messages[0].did, sum(one.operation is not Operation.DELETE for one in messages))
    return set(outcomes)
