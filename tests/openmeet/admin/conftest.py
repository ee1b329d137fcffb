"""A site with synchronisation, the operator's browser and another user's browser."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

import httpx
import pytest

from groundwork.clock import HandClock
from groundwork.database.transaction import Database
from groundwork.http.application import Application
from groundwork.queue.contract import Message
from groundwork.queue.embedded import EmbeddedQueue
from groundwork.telemetry.health import Check
from openmeet.network.ingestion import processor
from openmeet.network.ingestion.processor import Processor
from openmeet.network.status import SyncDependencies
from tests.databases import MakeDatabase
from tests.openmeet.ingestion.network import HERE, did, processor_metrics
from tests.openmeet.site_under_test import change_services, sign_up, site_on

OPERATOR = "olga@example.org"


@dataclass
class Bench:
    """``client`` is the operator's browser, ``stranger`` the browser of another user."""

    db: Database
    installation: Database
    queue: EmbeddedQueue
    client: httpx.AsyncClient
    stranger: httpx.AsyncClient
    clock: HandClock
    app: Application

    def give_others(self, others: Mapping[str, Check]) -> None:
        """Make the site's operators responsible for the whole installation, which has these other communities'
        databases.
        """
        change_services(self.app, sync_dependencies=SyncDependencies(self.installation, self.queue, HERE, others))

    async def bury(self, body: bytes = b"\xffnonsense") -> None:
        """Put a message that cannot be decoded on the queue and process it until it is a dead letter."""
        await self.queue.publish([Message("event.create", did(1), body, "x")])
        await self.work()

    async def work(self) -> None:
        while await processor.run_once(Processor(self.db, self.queue, HERE, processor_metrics(), self.clock)):
            pass


@pytest.fixture
async def bench(make_database: MakeDatabase, make_sqlite: MakeDatabase, clock: HandClock) -> AsyncIterator[Bench]:
    db = await make_database("openmeet", clock=clock)
    queue = EmbeddedQueue(await make_sqlite("groundwork.queue", clock=clock), clock)
    installation = await make_sqlite("openmeet.network.firehose", clock=clock)
    site = site_on(db, clock, operators=(OPERATOR.upper(), str(did(3))))
    change_services(site.app, sync_dependencies=SyncDependencies(installation, queue, HERE))
    async with site.browser() as client, site.browser() as stranger:
        await sign_up(client, OPERATOR, "Olga")
        await sign_up(stranger, "ana@example.org", "Ana")
        yield Bench(db, installation, queue, client, stranger, clock, site.app)
