"""Answers of the network that wait because a private event was not opened to their authors: whom it is opened to now."""

from collections.abc import Sequence

from groundwork.database.transaction import Transaction
from groundwork.outbox.owe import owe_many
from openmeet.domain.events import by_record
from openmeet.domain.events.model import Event
from openmeet.outbox.kinds import Debt


async def look_again(tx: Transaction, events: Sequence[Event]) -> None:
    """These locked events exist for more people than before: what those wrote about them elsewhere is looked at once more."""
    # The instant is greater than that of any earlier look.
    addresses = await by_record.addresses_of(tx, events)
    await owe_many(tx, Debt.FETCH_SUBJECT, [(uri, tx.now, tx.now) for uri in addresses])
