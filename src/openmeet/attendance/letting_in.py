"""Answers of the network that wait because a private event was not opened to their authors: whom it is opened to now."""

from collections.abc import Sequence

from groundwork.database.transaction import Transaction
from groundwork.outbox.owe import owe_many
from openmeet.debts.kinds import Debt
from openmeet.events.model import Event


async def look_again(tx: Transaction, events: Sequence[Event]) -> None:
    """These locked events exist for more people than before: what those wrote about them elsewhere is looked at once more."""
    # The instant is greater than that of any earlier look.
    await owe_many(
        tx, Debt.FETCH_SUBJECT, [(one.record_uri, tx.now, tx.now) for one in events if one.record_uri is not None]
    )
