"""Scheduled tasks: repositories that the site writes to are read once a day."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from groundwork.clock import DAY, HOUR, HandClock
from groundwork.database.transaction import Database, Transaction
from groundwork.outbox import jobs
from openmeet.domain.identities import actions as identities
from openmeet.domain.identities import queries as identity_queries
from openmeet.network.ingestion.tasks import enqueue_reconciliations
from openmeet.network.records import repository_state
from openmeet.outbox.kinds import JobKind
from tests.openmeet.ingestion.network import did, rev
from tests.openmeet.statement_counter import StatementCounter


async def test_repositories_of_ours_are_read_once_a_day(db: Database, clock: HandClock):
    """Repositories of people known only by DID are not read, because the site does not write to them."""
    async with db.transaction() as tx:
        await identities.connect(tx, did(1), handle="ana.example", pds_url="https://pds.example")
        await identities.person_for_did(tx, did(2))
    assert await enqueue_reconciliations(db) == 1
    async with db.transaction() as tx:
        await repository_state.raise_floor(tx, did(1), rev(1))
        job = await jobs.find(tx, JobKind.RECONCILE, did(1))
    assert job is not None
    assert await enqueue_reconciliations(db) == 0
    clock.turn(DAY + 1)
    assert await enqueue_reconciliations(db) == 1


async def test_a_failed_read_is_repeated_once_a_day(db: Database, clock: HandClock):
    """A repository that cannot be read, perhaps never again, is not queried every hour."""
    async with db.transaction() as tx:
        await identities.connect(tx, did(1), handle="ana.example", pds_url="https://pds.example")
    assert [await _reads_in_the_next_hour(db, clock) for _ in range(25)] == [1, *[0] * 23, 1]


async def _reads_in_the_next_hour(db: Database, clock: HandClock) -> int:
    found = await enqueue_reconciliations(db)
    clock.turn(HOUR + 1)
    return found


async def test_pauses_grow_until_a_hidden_account_is_found_again(db: Database, clock: HandClock):
    """Each pause is twice as long as the one before, up to a month. An answer ends this."""
    async with db.transaction() as tx:
        await identities.person_for_did(tx, did(1))
        await identity_queries.update_from_network(tx, did(1), handle="", pds_url="", status="deactivated")
    assert await _days_with_a_query(db, clock, 100) == [1, 3, 7, 15, 31, 61, 91]
    async with db.transaction() as tx:
        await identity_queries.update_from_network(tx, did(1), handle="", pds_url="", status="deactivated")
    assert await _days_with_a_query(db, clock, 5) == [1, 3]


async def _days_with_a_query(db: Database, clock: HandClock, days: int) -> list[int]:
    asked = []
    for day in range(1, days + 1):
        clock.turn(DAY + 1)
        await enqueue_reconciliations(db)
        async with db.reader() as reader:
            job = await jobs.find(reader, JobKind.REFRESH_IDENTITY, did(1))
        if job is not None and job.revision == reader.now:
            asked.append(day)
    return asked


class _Counting:
    """A database that counts the statements of its transactions."""

    def __init__(self, db: Database) -> None:
        self.db, self.statements = db, 0

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        async with self.db.transaction() as tx:
            counter = StatementCounter(tx)
            yield counter
            self.statements += counter.statements


async def test_any_number_of_accounts_is_enqueued_in_a_few_statements(db: Database):
    """Thousands of hidden accounts must fit into one transaction, or none would ever be checked again."""
    async with db.transaction() as tx:
        for number in range(6):
            await identities.connect(tx, did(number), handle="", pds_url="https://pds.example")
            await identity_queries.update_from_network(tx, did(number), handle="", pds_url="", status="deactivated")
        await tx.execute("update identities set checked_at = null")
    counting = _Counting(db)
    assert await enqueue_reconciliations(counting) == 6
    assert counting.statements <= 5
    async with db.reader() as reader:
        for kind in (JobKind.RECONCILE, JobKind.REFRESH_IDENTITY):
            assert all([await jobs.find(reader, kind, did(number)) for number in range(6)])
