"""Records that take longer together than a transaction may last are applied in smaller parts. A record that takes too
long by itself is not to blame: the read fails and is repeated.
"""

from dataclasses import dataclass
from typing import TypeVar

import pytest

from groundwork.database.transaction import Database, Transaction, TransactionTooLong, Work
from openmeet.network.ingestion.failure_isolation import apply_fetched, apply_of_repository, apply_submitted
from openmeet.network.ingestion.parsed_messages import IngestResult
from openmeet.network.ingestion.rsvps_awaiting_event import apply_awaiting_if_here
from openmeet.network.records.message import RecordMessage
from tests.openmeet.ingestion.network import HERE, did, event, rsvp
from tests.openmeet.ingestion.poison_messages import quarantined_records
from tests.openmeet.ingestion.seats import connect_person
from tests.openmeet.ingestion.view import apply_messages, view_of
from tests.openmeet.statement_counter import StatementCounter
from tests.simulation.oracle import EVENT

T = TypeVar("T")

TEA = f"at://{did(1)}/{EVENT}/tea"
MOST = 250  # statements: enough for some messages, not for thirty that are applied one after the other


class _LimitedTransaction(StatementCounter):
    def __init__(self, tx: Transaction, most: int) -> None:
        super().__init__(tx)
        self._most = most

    async def asked(self) -> None:
        await super().asked()
        if self.statements > self._most:
            raise TransactionTooLong("the transaction was open for too long")


@dataclass
class SlowDatabase:
    """A real database whose transactions reach their limit after a number of statements instead of seconds."""

    db: Database
    most: int = MOST

    def transaction(self):
        return self.db.transaction()

    def reader(self):
        return self.db.reader()

    async def batch(self, work: Work[T], /, *, key: str | None = None) -> T:
        return await self.db.batch(lambda tx: work(_LimitedTransaction(tx, self.most)), key=key)


def answers_of_one_author(number: int) -> list[RecordMessage]:
    """RSVPs of one person to one event, each of which must see the result of the previous one."""
    return [
        rsvp(
            2, f"k{n:03}", n + 2, TEA, "going" if n % 2 else "notgoing", createdAt=f"2026-01-{n % 28 + 1:02}T00:00:00Z"
        )
        for n in range(number)
    ]


async def test_a_repository_with_many_answers_to_one_event_is_read(db: Database):
    messages = [event(1, "tea", 1), *answers_of_one_author(60)]
    with pytest.raises(TransactionTooLong):
        await apply_fetched(SlowDatabase(db, 5), HERE, messages[0])
    result = await apply_of_repository(SlowDatabase(db), HERE, messages)
    assert (result.is_complete, result.failed) == (True, [])
    assert (await view_of(db)).answers == {(did(2), TEA): "going"}
    assert await quarantined_records(db) == []


async def test_a_submitted_batch_is_applied_in_parts(db: Database):
    messages = [event(1, "tea", 1), *answers_of_one_author(30)]
    assert await apply_submitted(SlowDatabase(db), HERE, messages) == [IngestResult.APPLIED] * 31


async def test_too_many_answers_that_wait_for_an_event(db: Database):
    """The event is applied at once, and the answers are made effective one by one."""
    slow = SlowDatabase(db, most=110)
    for number in range(3, 15):
        await connect_person(db, number)
        await apply_messages(db, rsvp(number, "aa", 1, TEA))
    await apply_fetched(slow, HERE, event(1, "tea", 1))
    view = await view_of(db)
    assert (list(view.events), view.answers) == ([TEA], {})
    assert await apply_awaiting_if_here(slow, TEA)
    assert len((await view_of(db)).answers) == 12
