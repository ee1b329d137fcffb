"""Scheduled tasks: repositories that the site writes to are read once a day."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from groundwork.clock import DAY, HandClock
from groundwork.database.transaction import Database, Transaction
from groundwork.outbox import jobs
from openmeet.domain.identities import actions as identities
from openmeet.domain.identities import queries as identity_queries
from openmeet.network.ingestion.tasks import reconcile
from openmeet.network.records import seen
from openmeet.outbox.kinds import JobKind
from tests.openmeet.ingestion.network import did, rev
from tests.openmeet.statement_counter import StatementCounter


async def test_repositories_of_ours_are_read_once_a_day(db: Database, clock: HandClock):
    """Repositories of people known only by DID are not read, because the site does not write to them."""
    async with db.transaction() as tx:
        await identities.connect(tx, did(1), handle="ana.example", pds_url="https://pds.example")
        await identities.person_for_did(tx, did(2))
    assert await reconcile(db) == 1
    async with db.transaction() as tx:
        await seen.raise_floor(tx, did(1), rev(1))
        job = await jobs.find(tx, JobKind.RECONCILE, did(1))
    assert job is not None
    assert await reconcile(db) == 0
    clock.turn(DAY + 1)
    assert await reconcile(db) == 1


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
    assert await reconcile(counting) == 6
    assert counting.statements <= 4
    async with db.reader() as reader:
        for kind in (JobKind.RECONCILE, JobKind.REFRESH_IDENTITY):
            assert all([await jobs.find(reader, kind, did(number)) for number in range(6)])
