"""Which event an answer is to: the uri that its record names, or the one to which that leads since the event has changed hands.

What leads where is read before the locks that it names are taken, and read again behind them: whoever lets an event go on elsewhere
holds the locks on both of its uris.
"""

from collections.abc import Collection

from groundwork.database.transaction import Transaction, TransactionConflict
from openmeet.domain.events import by_record
from openmeet.network.records import seen


async def lock_current(tx: Transaction, named: Collection[str], along: Collection[str] = ()) -> dict[str, str]:
    """Lock the events that these uris lead to, and ``along``; where those lead that are of before, by uri.

    TransactionConflict where an event got another record at this moment: again.
    """
    before = await by_record.current(tx, named)
    await seen.lock_subjects(tx, {*along, *named, *before.values()})
    if tx.engine != "sqlite" and await by_record.current(tx, named) != before:
        raise TransactionConflict("an event has just got another record")
    return before


async def current_subject(tx: Transaction, named: str) -> str:
    """``lock_current`` for one answer: where its event's record is now."""
    return (await lock_current(tx, [named])).get(named, named)
