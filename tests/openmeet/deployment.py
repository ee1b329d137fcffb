"""A small network in one process with real sockets: a directory, a PDS, and one tenant that publishes and ingests."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from at_network.bearer_session import create_session
from at_network.did_resolver import DidResolver, DidSettings
from at_network.handle_resolver import HandleResolver, HandleSettings
from at_network.oauth_servers import OAuthServers
from at_network.xrpc_client import XrpcClient
from at_protocol.lexicon.catalog import Catalog
from at_protocol.sync.account_state import AccountState
from at_protocol.syntax.tid import TidClock
from aurora_locus.app import AuroraLocus, open_server
from aurora_locus.settings import PdsSettings
from groundwork.blobstore.open_ import open_folder
from groundwork.cache.in_process import InProcessCache
from groundwork.clock import HandClock
from groundwork.database.transaction import Database
from groundwork.http.client import HttpClient
from groundwork.http.reach import DEVELOPMENT
from groundwork.http.server import HttpServer, serve
from groundwork.outbox import dispatcher
from groundwork.outbox.delivery import one_job_per_call
from groundwork.queue.contract import Message
from groundwork.queue.embedded import EmbeddedQueue
from groundwork.sealing import Sealer
from groundwork.settings import Secret
from groundwork.telemetry.metrics import Metrics
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.group_hosting import moving_group_handler
from openmeet.domain.attendance.model import Attendance, RsvpReply
from openmeet.domain.attendance.record_comparison import comparison_handler
from openmeet.domain.events import actions as events
from openmeet.domain.events.model import Details, Event, EventSlug
from openmeet.domain.events.rules import Submission, check
from openmeet.domain.identities import actions as identities
from openmeet.domain.identities import queries as identity_queries
from openmeet.domain.identities.model import Identity
from openmeet.domain.moderation_effects.actions import blocked_person_handler
from openmeet.domain.safety.actions import apply_blocks_handler
from openmeet.domain.series.standing_rsvps import left_group_handler
from openmeet.domain.users import actions as users
from openmeet.domain.users.model import Caller, UserId
from openmeet.feature_flags.flags import MAX_AGE, Flag
from openmeet.network.firehose.consumer import follow_source
from openmeet.network.firehose.cursors import account_state_of
from openmeet.network.firehose.delivery import TenantQueues
from openmeet.network.firehose.following import Consumer
from openmeet.network.firehose.metrics import firehose_metrics
from openmeet.network.firehose.tenant_interests import default_interests, interests_of
from openmeet.network.firehose.upstreams import authority
from openmeet.network.firehose.verification import Verifier
from openmeet.network.flag_changes import switch
from openmeet.network.ingestion import backfill, fetch, identity_refresh, processor, reconcile, rsvps_awaiting_event
from openmeet.network.ingestion.context import IngestionContext
from openmeet.network.ingestion.processor import Processor
from openmeet.network.publishing import schedule
from openmeet.network.publishing.dependencies import PublishingDependencies
from openmeet.network.publishing.late_writes import late_write_handler
from openmeet.network.records.message import RecordMessage, encode
from openmeet.network.repositories.agents import agent_for
from openmeet.network.repositories.clients import NetworkClients
from openmeet.network.repositories.custodial import (
    CustodialPds,
    admin_authorization,
    custodial_account_handler,
    custodial_deletion_handler,
)
from openmeet.network.repositories.sign_in import sign_in_with_password
from openmeet.outbox import publication_status
from openmeet.outbox.bulk_changes import bulk_change_handler
from openmeet.outbox.kinds import JobKind
from openmeet.outbox.publication_status import PublicationStatus
from openmeet.outbox.publications import PublicationKind
from plc_directory.app import open_directory
from plc_directory.settings import PlcSettings
from programs.outbox_dispatcher import BULK_CHANGES
from tests.databases import MakeDatabase, SqliteFiles
from tests.openmeet.ingestion.network import processor_metrics
from tests.simulation.processes import free_port
from tests.simulation.proxy import LossyProxy
from tests.timeouts import TIMEOUT_SECONDS
from tests.worker_pool import POOL

INSTANCE = "https://meet.example"
ADMIN = "an administrator's password"


@dataclass
class Deployment:
    """The network, with methods for actions of people and servers."""

    db: Database
    queue: EmbeddedQueue
    network: NetworkClients
    publisher: PublishingDependencies
    processor: Processor
    custodial_pds: CustodialPds
    pds_url: str
    proxy: LossyProxy
    clock: HandClock
    consumer: Consumer
    pds: AuroraLocus
    pds_serving: HttpServer
    plc_url: str = ""

    async def person(self, name: str = "Ana", *, agrees: bool = True) -> Caller:
        """Sign up a new person by e-mail. If they agree to publishing, their custodial account is created."""
        async with self.db.transaction() as tx:
            user_id = await users.create_person(tx, display_name=name, email=f"{name.lower()}@example.org")
        if agrees:
            async with self.db.transaction() as tx:
                await identities.grant_consent(tx, user_id, handle=f"{name.lower()}.town.test")
            await self.deliver_jobs()
        return Caller(user_id, name)

    async def connected(self, name: str = "cleo") -> Caller:
        """Sign in a new person with their own account on the PDS. The person agrees to publishing."""
        await self.account(name)
        return await self.connected_as(name)

    async def connected_as(self, name: str) -> Caller:
        """Sign a person in with their existing account on the PDS."""
        user_id = (
            await sign_in_with_password(
                self.db, self.network, identifier=f"{name}.town.test", password="a long password"
            )
        ).user_id
        async with self.db.transaction() as tx:
            await identities.grant_consent(tx, user_id, handle=f"{name}.town.test")
        return Caller(user_id, name)

    async def account(self, name: str) -> None:
        """Create an account on the PDS that OpenMeet does not know."""
        custodial_pds = XrpcClient(self.network.http, self.clock, self.pds_url)
        invite = await XrpcClient(
            self.network.http, self.clock, self.pds_url, credentials=Fixed(self.custodial_pds.admin_authorization)
        ).procedure("com.atproto.server.createInviteCode", {"useCount": 1})
        await custodial_pds.procedure(
            "com.atproto.server.createAccount",
            {
                "handle": f"{name}.town.test",
                "email": f"{name}@example.net",
                "password": "a long password",
                "inviteCode": invite["code"],
            },
        )

    async def event(self, host: Caller, **typed: str) -> Event:
        async with self.db.transaction() as tx:
            return await events.create(tx, host, details(**typed))

    async def revise(self, host: Caller, slug: EventSlug, **typed: str) -> Event:
        async with self.db.transaction() as tx:
            return await events.revise(tx, host, slug, details(**typed))

    async def answer(self, who: Caller, slug: EventSlug, reply: RsvpReply = RsvpReply.GOING) -> Attendance:
        async with self.db.transaction() as tx:
            return await attendance.answer(tx, who, slug, reply)

    async def deliver_publications(self) -> int:
        """Deliver the publications that are due now."""
        return await schedule.run_once(self.publisher)

    async def deliver_jobs(self) -> int:
        """Run all other outbox jobs that are due now."""
        here = self.processor.ingestion_context
        return await dispatcher.run_once(
            self.db,
            {
                JobKind.CUSTODIAL_ACCOUNT: one_job_per_call(
                    custodial_account_handler(self.db, self.network, self.custodial_pds)
                ),
                JobKind.DELETE_CUSTODIAL_ACCOUNT: one_job_per_call(
                    custodial_deletion_handler(self.db, self.network, self.custodial_pds)
                ),
                JobKind.BACKFILL: one_job_per_call(backfill.backfill_handler(self.db, self.network, here)),
                JobKind.FETCH_SUBJECT: one_job_per_call(fetch.subject_handler(self.db, self.network, here)),
                JobKind.LEFT_GROUP: one_job_per_call(left_group_handler(self.db)),
                JobKind.BULK_CHANGE: one_job_per_call(bulk_change_handler(self.db, BULK_CHANGES)),
                JobKind.MOVE_GROUP_RECORDS: one_job_per_call(moving_group_handler(self.db)),
                JobKind.APPLY_BLOCKS: one_job_per_call(apply_blocks_handler(self.db)),
                JobKind.BLOCKED_PERSON: one_job_per_call(blocked_person_handler(self.db)),
                JobKind.GAINED_ACCESS: one_job_per_call(rsvps_awaiting_event.gained_access_handler(self.db)),
                JobKind.COMPARE_RSVPS: one_job_per_call(comparison_handler(self.db)),
                JobKind.PROVE_RECORD: one_job_per_call(fetch.record_handler(self.db, self.network, here)),
                JobKind.LATE_WRITE: one_job_per_call(late_write_handler(self.publisher)),
                JobKind.RECONCILE: one_job_per_call(reconcile.reconcile_handler(self.db, self.network, here)),
                JobKind.REFRESH_IDENTITY: one_job_per_call(identity_refresh.identity_handler(self.db, self.network)),
            },
        )

    async def ingest(self) -> int:
        """Process queued messages, one per repository at a time, until the queue is empty."""
        return await process_queue(self.processor)

    async def listen(self, user_id: UserId) -> None:
        """Follow the PDS's firehose until a person's newest commit has been verified, then process the queue."""
        did = (await self.identity(user_id)).did
        client = XrpcClient(self.network.http, self.clock, self.pds_url)
        newest = (await client.query("com.atproto.sync.getLatestCommit", {"did": did}))["rev"]
        await self.follow_until(did, lambda state: state.last_head is not None and state.last_head.rev == newest)

    async def follow_until(self, did: str, is_done: Callable[[AccountState], bool]) -> None:
        """Follow the PDS's firehose until the known state of a repository satisfies ``is_done``, then process the
        queue.
        """
        await consume_until(self.consumer, self.pds_url, did, is_done)
        await self.ingest()

    async def status_of(self, kind: PublicationKind, subject_id: str) -> PublicationStatus:
        async with self.db.reader() as reader:
            return (await publication_status.statuses(reader, kind, [subject_id]))[subject_id]

    async def identity(self, user_id: UserId) -> Identity:
        async with self.db.reader() as reader:
            return (await identity_queries.of_user(reader, user_id))[0]

    async def record(self, uri: str) -> dict:
        """Return the record from the PDS."""
        _, _, did, collection, rkey = uri.split("/")
        client = XrpcClient(self.network.http, self.clock, self.pds_url)
        answer = await client.query("com.atproto.repo.getRecord", {"repo": did, "collection": collection, "rkey": rkey})
        return dict(answer["value"], cid=answer["cid"])

    async def own_client(self, identity: Identity) -> XrpcClient:
        """A client for the person's custodial repository, as another app would use it."""
        return await agent_for(self.db, self.network, identity)

    async def stranger(self, name: str) -> XrpcClient:
        """A client for a person's own account, as another app would use it."""
        tokens = await create_session(
            self.network.http, self.clock, self.pds_url, f"{name}.town.test", "a long password"
        )
        return XrpcClient(self.network.http, self.clock, self.pds_url, credentials=Fixed(f"Bearer {tokens.access}"))


async def consume_until(consumer: Consumer, pds_url: str, did: str, is_done: Callable[[AccountState], bool]) -> None:
    """Follow a PDS's firehose until the known state of a repository satisfies ``is_done``."""
    consumer.interests.followed.add(did)  # also commits without a calendar record
    stop = asyncio.Event()
    following = asyncio.create_task(follow_source(consumer, pds_url, stop, sender=authority(pds_url)))
    state: AccountState | None = None
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            while True:
                async with consumer.db.reader() as reader:
                    state = await account_state_of(reader, did)
                if is_done(state):
                    return
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"the expected commit of {did} was not received; known: {state}") from None
    finally:
        stop.set()
        await asyncio.wait({following}, timeout=TIMEOUT_SECONDS)
        assert following.done(), f"the consumer of {pds_url} did not stop"
        following.result()


async def process_queue(one: Processor) -> int:
    """Process messages until the queue is empty, and return how many there were."""
    total = 0
    while taken := await processor.run_once(one):
        total += taken
    return total


class Fixed:
    """Credentials that send the same Authorization header with every request."""

    def __init__(self, authorization: str) -> None:
        self.authorization = authorization

    async def headers(self, _method: str, _url: str) -> dict[str, str]:
        return {"authorization": self.authorization}

    async def store_nonce(self, _url: str, _headers: object) -> None:
        return

    async def renew(self, _refused: object, _status: int, _error: object) -> bool:
        return False


def records_listed(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The records in a response of ``com.atproto.repo.listRecords``."""
    found: list[dict[str, Any]] = answer["records"]
    return found


def details(**typed: str) -> Details:
    defaults = {
        "title": "Tea in the park",
        "starts": "2026-04-01T17:00",
        "ends": "2026-04-01T19:00",
        "time_zone": "Europe/Vienna",
        "venue_name": "The park",
        "country": "AT",
    }
    return check(Submission(**{**defaults, **typed}))


@pytest.fixture
async def deployment(make_sqlite: SqliteFiles, clock: HandClock, tmp_path: Path) -> AsyncIterator[Deployment]:
    async with open_deployment(await make_sqlite("openmeet", clock=clock), make_sqlite, clock, tmp_path) as opened:
        yield opened


@pytest.fixture
async def deployment_on_each(
    make_database: MakeDatabase, make_sqlite: MakeDatabase, clock: HandClock, tmp_path: Path
) -> AsyncIterator[Deployment]:
    """The same network, once on each database engine."""
    async with open_deployment(await make_database("openmeet", clock=clock), make_sqlite, clock, tmp_path) as opened:
        yield opened


@asynccontextmanager
async def open_deployment(
    db: Database,
    make_sqlite: SqliteFiles,
    clock: HandClock,
    tmp_path: Path,
    *,
    pds_port: int | None = None,
    public_url: str = "",
) -> AsyncIterator[Deployment]:
    """The network for ``db``, the tenant's database. ``public_url`` is the PDS's public URL if it differs from its own
    port.
    """
    async with AsyncExitStack() as stack:
        directory_settings = PlcSettings(
            data_directory=tmp_path / "plc", database_url=await make_sqlite.url("plc_directory")
        )
        directory = await stack.enter_async_context(
            open_directory(directory_settings, clock, version="test", access_log=False)
        )
        plc = await serve(directory, "127.0.0.1", 0)
        stack.push_async_callback(plc.stop)
        port = pds_port or free_port()
        inner = f"http://127.0.0.1:{port}"
        public = public_url or inner
        pds = await stack.enter_async_context(
            open_server(
                PdsSettings(
                    hostname=urlsplit(public).hostname or "",
                    port=port,
                    public_url=public,
                    data_directory=tmp_path / "pds",
                    database_url=await make_sqlite.url("aurora_locus"),
                    service_handle_domains=(".town.test",),
                    did_plc_url=plc.url,
                    invite_required=True,
                    admin_password=Secret(ADMIN),
                    dev_mode=True,
                ),
                clock,
                version="test",
                access_log=False,
            )
        )
        serving = await serve(pds.app, "127.0.0.1", port)
        stack.push_async_callback(serving.stop)
        proxy = await stack.enter_async_context(LossyProxy(inner))
        http = HttpClient(DEVELOPMENT)
        stack.push_async_callback(http.close)
        dids = DidResolver(http, clock, DidSettings(plc.url, is_development=True))
        stack.push_async_callback(dids.close)
        handles = HandleResolver(http, dids, clock, HandleSettings(is_development=True, through_pds=(public,)))
        stack.push_async_callback(handles.close)
        queue = EmbeddedQueue(await make_sqlite("groundwork.queue", clock=clock), clock)
        servers = OAuthServers(http, clock, is_development=True)
        stack.push_async_callback(servers.close)
        network = NetworkClients(http, clock, dids, handles, Sealer([bytes(32)]), servers, InProcessCache(clock), POOL)
        stack.push_async_callback(network.wait_for_refreshes)

        async def enqueue(messages: list[RecordMessage]) -> None:
            await queue.publish([Message(one.routing_key, one.did, encode(one), one.message_id) for one in messages])

        pictures = open_folder(tmp_path / "media")
        publisher = PublishingDependencies(db, network, Catalog(), TidClock(3), enqueue, INSTANCE, pictures)
        custodial_pds = CustodialPds(proxy.url, admin_authorization(ADMIN), ".town.test", "no-mail.meet.example")
        metrics = Metrics("openmeet")
        counting, counts = processor_metrics(), firehose_metrics(metrics)
        yield Deployment(
            db,
            queue,
            network,
            publisher,
            Processor(db, queue, IngestionContext(INSTANCE), counting),
            custodial_pds,
            public,
            proxy,
            clock,
            Consumer(
                db=await make_sqlite("openmeet.network.firehose", clock=clock),
                http=http,
                clock=clock,
                verifier=Verifier(dids, clock),
                interests=interests_of(default_interests("main")),
                tenant_queues=TenantQueues({"main": queue}, counts),
                metrics=counts,
            ),
            pds,
            serving,
            plc.url,
        )


async def switch_flag(deployment: Deployment, *flags: Flag, is_on: bool = True) -> None:
    """Switch feature flags, and let the time pass after which every server has noticed."""
    for flag in flags:
        async with deployment.db.transaction() as tx:
            assert await switch(tx, flag, is_on=is_on, changed_by="a test")
    deployment.clock.turn(MAX_AGE)


async def deliver_all_publications(deployment: Deployment) -> None:
    """Deliver the publications that are due now, and those that result from them."""
    while await deployment.deliver_publications():
        pass


async def records_in_repository(deployment: Deployment, did: str, collection: str) -> dict[str, dict]:
    """The records of a repository on the PDS by URI."""
    client = XrpcClient(deployment.network.http, deployment.clock, deployment.pds_url)
    answer = await client.query("com.atproto.repo.listRecords", {"repo": did, "collection": collection})
    return {one["uri"]: dict(one["value"]) for one in records_listed(answer)}


async def records_of(deployment: Deployment, who: Caller, collection: str) -> dict[str, dict]:
    """The records in a person's repository by URI."""
    return await records_in_repository(deployment, (await deployment.identity(who.user_id)).did, collection)
