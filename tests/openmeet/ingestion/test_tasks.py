"""Scheduled tasks: repositories that the site writes to are read once a day."""

from groundwork.clock import DAY, HandClock
from groundwork.database.transaction import Database
from groundwork.outbox import jobs
from openmeet.domain.identities import actions as identities
from openmeet.network.ingestion.tasks import reconcile
from openmeet.network.records import seen
from openmeet.outbox.kinds import JobKind
from tests.openmeet.ingestion.network import did, rev


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
