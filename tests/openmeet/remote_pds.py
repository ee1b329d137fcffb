"""An OpenMeet site with its complete engine, and the reference PDS in the role of another operator's server."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from playwright.async_api import Browser, Page

from at_network.did_resolver import DidResolver, DidSettings
from at_network.handle_resolver import HandleResolver, HandleSettings
from at_network.oauth_servers import OAuthServers
from at_protocol.lexicon.catalog import Catalog
from at_protocol.syntax.tid import TidClock
from groundwork.cache.in_process import InProcessCache
from groundwork.clock import SystemClock
from groundwork.database.transaction import Database
from groundwork.http.client import HttpClient
from groundwork.http.reach import DEVELOPMENT
from groundwork.http.server import serve
from groundwork.outbox import dispatcher
from groundwork.outbox.delivery import one_job_per_call
from groundwork.queue.contract import Message
from groundwork.queue.embedded import EmbeddedQueue
from groundwork.sealing import Sealer
from groundwork.telemetry.metrics import Metrics
from openmeet.app import create_app
from openmeet.domain.identities import queries
from openmeet.domain.identities.model import Identity
from openmeet.network.firehose.delivery import TenantQueues
from openmeet.network.firehose.following import Consumer
from openmeet.network.firehose.metrics import firehose_metrics
from openmeet.network.firehose.tenant_interests import default_interests, interests_of
from openmeet.network.firehose.verification import Verifier
from openmeet.network.ingestion import identity_refresh, intake
from openmeet.network.ingestion.context import IngestionContext
from openmeet.network.ingestion.processor import Processor
from openmeet.network.publishing import schedule
from openmeet.network.publishing.dependencies import PublishingDependencies
from openmeet.network.records.message import RecordMessage, encode
from openmeet.network.repositories.clients import NetworkClients, app_of
from openmeet.outbox.kinds import JobKind
from openmeet.settings import Settings
from openmeet.tenants.configured import Tenant
from openmeet.web.site.services import Services
from plc_directory.app import open_directory
from plc_directory.settings import PlcSettings
from tests.browser.browsers import PHONE
from tests.databases import MakeDatabase
from tests.openmeet.deployment import consume_until, process_queue
from tests.openmeet.ingestion.network import processor_metrics
from tests.openmeet.site_under_test import CODE_KEY
from tests.simulation.processes import free_port
from tests.simulation.reference_pds import ReferencePds
from tests.worker_pool import POOL

PASSWORD = "password of a test"


@dataclass
class RemoteSite:
    """The site's URL and parts. Tests decide when jobs are delivered and when the firehose is read."""

    url: str
    db: Database
    network: NetworkClients
    pds: ReferencePds
    publisher: PublishingDependencies
    processor: Processor
    consumer: Consumer

    async def identity(self, name: str) -> Identity:
        """The identity of a person with this handle, which the site knows."""
        async with self.db.reader() as reader:
            (found,) = await queries.by_handle(reader, f"{name}.test")
        return found

    async def deliver_publications(self) -> int:
        """Deliver the publications that are due now."""
        return await schedule.run_once(self.publisher)

    async def listen(self, did: str) -> None:
        """Follow the reference PDS's firehose until the newest commit of a repository has been verified, then ingest."""
        newest = msgspec.json.decode(await self.pds.read("com.atproto.sync.getLatestCommit", did=did))["rev"]
        await consume_until(
            self.consumer,
            self.pds.url,
            did,
            lambda state: state.last_head is not None and state.last_head.rev == newest,
        )
        await process_queue(self.processor)

    async def welcome(self) -> None:
        """Resolve the servers of newly seen people, and release their events as far as the site's policy allows."""
        await dispatcher.run_once(
            self.db,
            {JobKind.REFRESH_IDENTITY: one_job_per_call(identity_refresh.identity_handler(self.db, self.network))},
        )
        await intake.decide_due(self.db)

    async def records(self, did: str, collection: str) -> dict[str, dict[str, Any]]:
        """The records of a repository by at-uri, as the reference PDS returns them."""
        listed = await self.pds.read("com.atproto.repo.listRecords", repo=did, collection=collection)
        return {one["uri"]: one["value"] for one in msgspec.json.decode(listed)["records"]}

    @asynccontextmanager
    async def phone(self, browser: Browser) -> AsyncIterator[Page]:
        """A page of a phone browser without cookies."""
        context = await browser.new_context(viewport=PHONE, locale="en-GB", base_url=self.url)
        yield await context.new_page()
        await context.close()


@pytest.fixture
async def remote(make_sqlite: MakeDatabase, tmp_path: Path) -> AsyncIterator[RemoteSite]:
    async with open_remote(await make_sqlite("openmeet", clock=SystemClock()), make_sqlite, tmp_path) as opened:
        yield opened


@asynccontextmanager
async def open_remote(db: Database, make_sqlite: MakeDatabase, tmp_path: Path) -> AsyncIterator[RemoteSite]:
    """The same site and PDS, with a site database that the caller has opened."""
    async with AsyncExitStack() as stack:
        clock = SystemClock()
        plc_settings = PlcSettings(data_directory=tmp_path / "plc", hourly_limit=0)
        directory = await stack.enter_async_context(
            open_directory(plc_settings, clock, version="test", access_log=False)
        )
        plc = await serve(directory, "127.0.0.1", 0)
        stack.push_async_callback(plc.stop)
        pds = ReferencePds(tmp_path / "reference", plc.url, settings={"PDS_RATE_LIMITS_ENABLED": "true"})
        await pds.start()
        stack.push_async_callback(pds.stop)
        http = HttpClient(DEVELOPMENT)
        stack.push_async_callback(http.close)
        dids = DidResolver(http, clock, DidSettings(plc.url, is_development=True))
        stack.push_async_callback(dids.close)
        handles = HandleResolver(http, dids, clock, HandleSettings(is_development=True, through_pds=(pds.url,)))
        stack.push_async_callback(handles.close)
        servers = OAuthServers(http, clock, is_development=True)
        stack.push_async_callback(servers.close)
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        network = NetworkClients(
            http,
            clock,
            dids,
            handles,
            Sealer([bytes(32)]),
            servers,
            InProcessCache(clock),
            POOL,
            app=app_of(url, "Meet"),
        )
        stack.push_async_callback(network.wait_for_refreshes)
        app = create_app(
            Services(
                replace(Settings(), public_url=url, dev_mode=True),
                Tenant("default", db),
                CODE_KEY,
                clock=clock,
                network=network,
                workers=POOL,
            ),
            Metrics("openmeet"),
        )
        serving = await serve(app, "127.0.0.1", port)
        stack.push_async_callback(serving.stop)
        queue = EmbeddedQueue(await make_sqlite("groundwork.queue", clock=clock), clock)

        async def enqueue(messages: list[RecordMessage]) -> None:
            await queue.publish([Message(one.routing_key, one.did, encode(one), one.message_id) for one in messages])

        counts = firehose_metrics(Metrics("openmeet"))
        consumer = Consumer(
            db=await make_sqlite("openmeet.network.firehose", clock=clock),
            http=http,
            clock=clock,
            verifier=Verifier(dids, clock),
            interests=interests_of(default_interests("main")),
            tenant_queues=TenantQueues({"main": queue}, counts),
            metrics=counts,
        )
        publisher = PublishingDependencies(db, network, Catalog(), TidClock(3), enqueue, url)
        yield RemoteSite(
            url, db, network, pds, publisher, Processor(db, queue, IngestionContext(url), processor_metrics()), consumer
        )


async def authorize_on_pds(page: Page) -> None:
    """Sign in on the reference PDS's pages and authorise."""
    await page.get_by_label("Password", exact=True).fill(PASSWORD)
    await page.get_by_role("button", name="Sign in", exact=True).click()
    await page.get_by_role("button", name="Authorize", exact=True).click()
