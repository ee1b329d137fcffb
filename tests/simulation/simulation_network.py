"""The real network of the simulation in one process, without background tasks: each part acts only when it is called.

Directory and two PDSs answer on loopback. Between OpenMeet and each of them there are two proxies: one that loses
responses, delays requests, reports rate limits or is unavailable, and one that loses frames of the stream. Consumer,
queue, processor, publisher and dispatcher are the real ones; the clock is moved by hand.
"""

import asyncio
import contextlib
import json
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from at_network.did_resolver import DidResolver, DidSettings
from at_network.handle_resolver import HandleResolver, HandleSettings
from at_network.oauth_servers import OAuthServers
from at_network.plc_client import PlcClient
from at_protocol.lexicon.catalog import Catalog
from at_protocol.syntax.did import Did
from at_protocol.syntax.tid import TidClock
from groundwork.blobstore.disk import DiskBlobStore
from groundwork.cache.in_process import InProcessCache
from groundwork.clock import DAY, SECOND, HandClock, Instant
from groundwork.database.transaction import Database
from groundwork.http.client import HttpClient
from groundwork.http.reach import DEVELOPMENT
from groundwork.http.server import serve
from groundwork.outbox import dispatcher
from groundwork.outbox.delivery import one_job_per_call
from groundwork.queue.contract import Message
from groundwork.sealing import Sealer
from groundwork.telemetry.metrics import Metrics
from openmeet.domain.attendance.group_hosting import moving_group_handler
from openmeet.domain.attendance.record_comparison import comparison_handler
from openmeet.domain.attendance.tasks import fill_seats_handler
from openmeet.domain.erasure import actions as erasure
from openmeet.domain.erasure.ledger import ErasureLedger
from openmeet.domain.notifications.fan_out import fan_out_handler
from openmeet.domain.safety.actions import apply_blocks_handler
from openmeet.domain.series.detection_actions import detection_handler
from openmeet.domain.series.new_date_rsvps import new_date_handler
from openmeet.domain.series.standing_rsvps import left_group_handler
from openmeet.domain.users.model import UserId
from openmeet.network.firehose import cursors
from openmeet.network.firehose.consumer import follow_source
from openmeet.network.firehose.delivery import TenantQueues
from openmeet.network.firehose.following import Consumer
from openmeet.network.firehose.metrics import FirehoseMetrics, firehose_metrics
from openmeet.network.firehose.tenant_interests import default_interests, interests_of
from openmeet.network.firehose.verification import Verifier
from openmeet.network.ingestion import (
    backfill,
    dead_letters,
    fetch,
    identity_refresh,
    person_erasure,
    processor,
    reconcile,
    rsvps_awaiting_event,
)
from openmeet.network.ingestion.account_deletion import ErasureContext
from openmeet.network.ingestion.context import IngestionContext
from openmeet.network.ingestion.person_erasure import PersonErasureContext
from openmeet.network.ingestion.processor import Processor
from openmeet.network.ingestion.remote_series import claimed_dates_handler
from openmeet.network.publishing import schedule
from openmeet.network.publishing.dependencies import PublishingDependencies
from openmeet.network.publishing.late_writes import late_write_handler
from openmeet.network.records.extension import named_series
from openmeet.network.records.message import RecordMessage, encode
from openmeet.network.repositories.clients import NetworkClients
from openmeet.network.repositories.custodial import (
    CustodialPds,
    admin_authorization,
    custodial_account_handler,
    custodial_deletion_handler,
)
from openmeet.outbox.bulk_changes import bulk_change_handler
from openmeet.outbox.kinds import JobKind
from plc_directory.app import open_directory
from plc_directory.settings import PlcSettings
from programs.outbox_dispatcher import AUDIENCES, BULK_CHANGES
from tests.openmeet.ingestion.network import processor_metrics
from tests.simulation.announced import announced_in
from tests.simulation.repeatable import Killed, NamedServers, killed_after
from tests.simulation.simulation_engines import TIMEOUT_SECONDS, Engine, RecordedQueue, open_stores
from tests.simulation.simulation_home import ADMIN, HANDLE_DOMAIN, Faults, Home, open_home
from tests.worker_pool import POOL

INSTANCE = "https://meet.example"
# 2026-03-01T12:00:00Z
START = Instant(1_772_366_400_000_000)
LEASE = 61 * SECOND
# The key under which erased records are remembered.
ERASURE_KEY = bytes(range(32))
# The share of unread frames that the stream loses when it loses any.
LOSES = 0.3


@dataclass
class Deployment:
    """The network, with one method for each action of its programs. People who have no account get one at the first
    PDS.
    """

    clock: HandClock
    homes: list[Home]
    db: Database
    installation: Database
    queue: RecordedQueue
    network: NetworkClients
    directory: PlcClient
    publisher: PublishingDependencies
    processor: Processor
    custodial_pds: CustodialPds
    metrics: FirehoseMetrics
    faults: Faults
    # When the delayed write that made a commit was sent, by DID and rev.
    late: dict[tuple[str, str], Instant] = field(default_factory=dict)
    # The records that delayed writes created.
    late_uris: set[str] = field(default_factory=set)
    followed: set[str] = field(default_factory=set)
    # Repositories from which the stream lost commits.
    gapped: set[str] = field(default_factory=set)
    # Commits that the stream never delivers, as (repository, rev).
    unseen: set[tuple[str, str]] = field(default_factory=set)
    consumer: Consumer | None = None

    @property
    def lost(self) -> int:
        """Number of lost responses."""
        return sum(home.proxy.lost for home in self.homes)

    async def last_seqs(self) -> list[int]:
        return [await home.last_seq() for home in self.homes]

    async def frames(self) -> list[bytes]:
        """Everything that the PDSs ever announced."""
        for home in self.homes:
            await home.listen()
        return [home.announced[seq] for home in self.homes for seq in sorted(home.announced)]

    def restart_consumer(self) -> None:
        """Replace the consumer by a new process, which has only the stored cursor."""
        self.consumer = None

    async def rewind(self, frames: int) -> None:
        """Move the stored cursor back, as after restoring an older database, so that frames are delivered again."""
        async with self.installation.transaction() as tx:
            await tx.execute(
                "update sources set cursor = case when cursor > :frames then cursor - :frames else 0 end", frames=frames
            )

    async def listen(self) -> None:
        """Follow the firehose until there is nothing new."""
        if self.consumer is None:
            self.consumer = Consumer(
                db=self.installation,
                http=self.network.http,
                clock=self.clock,
                verifier=Verifier(self.network.dids, self.clock),
                interests=interests_of(default_interests("main"), await self._verified()),
                tenant_queues=TenantQueues({"main": self.queue}, self.metrics),
                metrics=self.metrics,
            )
        self.consumer.interests.followed.update(self.followed)
        for home in self.homes:
            if not home.is_cut:
                async with self.queue.gathering():
                    await self._listen_to(home, self.consumer)

    async def _verified(self) -> list[str]:
        async with self.installation.reader() as reader:
            return [row["did"] for row in await reader.fetch("select did from verified_repositories order by did")]

    async def lose_frames(self, chance: random.Random) -> int:
        """Lose some commits that have not been read yet. Returns how many."""
        lost = 0
        for home in self.homes:
            await home.listen()
            heard = await self._cursor(home)
            for seq, frame in sorted(home.announced.items()):
                said = announced_in(frame)
                if seq > heard and said.kind in {"#commit", "#sync"} and chance.random() < LOSES:
                    home.lost_frames.add(seq)
                    self.gapped.add(said.did)
                    self.unseen.add((said.did, said.rev))
                    lost += 1
        return lost

    async def note_unseen(self, home: Home, did: str) -> None:
        """An account leaves this PDS. Its commits here that have not been read yet will no longer be accepted from this
        PDS.
        """
        await home.listen()
        heard = await self._cursor(home)
        said = [announced_in(frame) for seq, frame in home.announced.items() if seq > heard]
        self.unseen |= {(one.did, one.rev) for one in said if one.did == did and one.kind in {"#commit", "#sync"}}

    async def _listen_to(self, home: Home, consumer: Consumer) -> None:
        await home.listen()
        last = max(home.announced.keys() - home.lost_frames, default=0)
        stop = asyncio.Event()
        following = asyncio.create_task(follow_source(consumer, home.line.url, stop))
        heard = -1
        try:
            async with asyncio.timeout(None) as patience:
                while (cursor := await self._cursor(home)) < last:
                    if cursor > heard:
                        # On a busy machine, wait as long as there is progress.
                        heard = cursor
                        patience.reschedule(asyncio.get_running_loop().time() + TIMEOUT_SECONDS)
                    await asyncio.sleep(0.002)
        finally:
            stop.set()
            await following

    async def _cursor(self, home: Home) -> int:
        async with self.installation.reader() as reader:
            row = await reader.fetch_one("select cursor from sources where url = :url", url=home.line.url)
        return 0 if row is None or row["cursor"] is None else int(row["cursor"])

    async def process(self, limit: int = 200) -> int:
        """Process one batch of messages."""
        return await processor.run_once(self.processor, limit=limit)

    async def process_all(self) -> None:
        while await self.process():
            pass

    async def kill_processor(self, chance: random.Random) -> None:
        """Kill the processor in the middle of a batch. Its lease ends a minute later."""
        with killed_after(chance.randint(0, 3)), contextlib.suppress(Killed):
            await self.process(chance.randint(1, 20))

    async def deliver_publications(self) -> int:
        """Deliver publications that are due now."""
        return await schedule.run_once(self.publisher)

    async def deliver_with_faults(self, chance: random.Random) -> None:
        """Deliver publications while a response is lost, or while the publisher is killed as it waits for one."""
        task: asyncio.Task[object] = asyncio.create_task(self.deliver_publications())
        self.faults.left = chance.randint(1, 6)
        self.faults.victim = task if chance.random() < 0.6 else None
        with contextlib.suppress(asyncio.CancelledError):
            await task
        # Requests that were already sent arrive before the lease is over, because the clock does not move.
        for home in self.homes:
            await home.proxy.quiet()
        await self.network.wait_for_refreshes()
        self.faults.clear()

    async def delay_publications(self) -> None:
        """Deliver publications with delayed requests: the publisher sees broken connections."""
        self.faults.delaying = True
        await self.deliver_publications()
        self.faults.delaying = False

    async def deliver(self) -> int:
        """Deliver the delayed requests at the PDSs that are available. Returns how many of them were executed."""
        acted = 0
        for home in self.homes:
            if home.is_away:
                continue
            sent_at, home.sent_at = home.sent_at, []
            for at, (status, body) in zip(sent_at, await home.proxy.deliver_and_read(), strict=True):
                answer = json.loads(body)
                if status == 200 and (commit := answer.get("commit")):
                    uris = {one["uri"] for one in [answer, *answer.get("results", [])] if "uri" in one}
                    self.late_uris |= uris
                    # Two repositories can have commits with the same rev.
                    self.late |= {(uri.split("/")[2], commit["rev"]): at for uri in uris}
                    acted += 1
        return acted

    async def deliver_jobs(self) -> int:
        """Run the jobs for accounts, identities and reads of repositories."""
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
                JobKind.CLAIMED_DATES: one_job_per_call(claimed_dates_handler(self.db)),
                JobKind.DETECT_SERIES: one_job_per_call(detection_handler(self.db, named_series)),
                JobKind.DETECT_FOREIGN_SERIES: one_job_per_call(detection_handler(self.db, named_series)),
                JobKind.FAN_OUT: one_job_per_call(fan_out_handler(self.db, AUDIENCES)),
                JobKind.NEW_DATE: one_job_per_call(new_date_handler(self.db)),
                JobKind.FILL_SEATS: one_job_per_call(fill_seats_handler(self.db)),
                JobKind.LEFT_GROUP: one_job_per_call(left_group_handler(self.db)),
                JobKind.BULK_CHANGE: one_job_per_call(bulk_change_handler(self.db, BULK_CHANGES)),
                JobKind.MOVE_GROUP_RECORDS: one_job_per_call(moving_group_handler(self.db)),
                JobKind.APPLY_BLOCKS: one_job_per_call(apply_blocks_handler(self.db)),
                JobKind.GAINED_ACCESS: one_job_per_call(rsvps_awaiting_event.gained_access_handler(self.db)),
                JobKind.COMPARE_RSVPS: one_job_per_call(comparison_handler(self.db)),
                JobKind.PROVE_RECORD: one_job_per_call(fetch.record_handler(self.db, self.network, here)),
                JobKind.LATE_WRITE: one_job_per_call(late_write_handler(self.publisher)),
                JobKind.RECONCILE: one_job_per_call(reconcile.reconcile_handler(self.db, self.network, here)),
                JobKind.REFRESH_IDENTITY: one_job_per_call(
                    identity_refresh.identity_handler(
                        self.db,
                        self.network,
                        ErasureContext(here.erasure_keys, partial(self._erase_elsewhere, here.erasure_keys)),
                        here.trusted_origins,
                    )
                ),
            },
        )

    async def begin_erasure(self, user_id: UserId) -> None:
        """A person asks that their account on OpenMeet is deleted, without a grace period."""
        await erasure.begin(self.db, user_id, 0)

    async def erase_due(self) -> None:
        """Delete the accounts whose time has come."""
        # A PDS deletes its announcements about an account together with the account.
        await self.frames()
        await person_erasure.take_due(self.db, self._erasing)

    @property
    def _erasing(self) -> PersonErasureContext:
        keys = self.processor.ingestion_context.erasure_keys
        folder = self.homes[0].folder.parent
        return PersonErasureContext(
            ErasureContext(keys, partial(self._erase_elsewhere, keys)),
            ErasureLedger(folder / "erasures.jsonl"),
            DiskBlobStore(folder / "pictures"),
            grace=14 * DAY,
        )

    async def _erase_elsewhere(self, keys: Sequence[bytes], did: Did) -> None:
        await dead_letters.erase(self.db, keys, self.queue, did)
        async with self.installation.transaction() as tx:
            await cursors.erase(tx, did)


@asynccontextmanager
async def open_deployment(folder: Path, engine: Engine, server: str) -> AsyncIterator[Deployment]:
    """Everything open for the block."""
    clock = HandClock(START)
    async with AsyncExitStack() as stack:
        directory = await stack.enter_async_context(
            open_directory(
                PlcSettings(data_directory=folder / "plc", hourly_limit=0, daily_limit=0, weekly_limit=0),
                clock,
                version="test",
                access_log=False,
            )
        )
        plc = await serve(directory, "127.0.0.1", 0)
        stack.push_async_callback(plc.stop)
        faults = Faults(clock)
        servers = NamedServers()
        homes = [await open_home(stack, folder / name, clock, plc.url, faults, servers) for name in ("pds", "second")]
        http = HttpClient(DEVELOPMENT, resolver=servers)
        stack.push_async_callback(http.close)
        dids = DidResolver(http, clock, DidSettings(plc.url, is_development=True))
        stack.push_async_callback(dids.close)
        handles = HandleResolver(
            http, dids, clock, HandleSettings(is_development=True, through_pds=tuple(home.url for home in homes))
        )
        stack.push_async_callback(handles.close)
        stores = await open_stores(stack, folder, clock, engine, server)
        db, queue = stores.db, stores.queue

        async def enqueue(messages: Sequence[RecordMessage]) -> None:
            await queue.publish([Message(one.routing_key, one.did, encode(one), one.message_id) for one in messages])

        oauth_servers = OAuthServers(http, clock, is_development=True)
        stack.push_async_callback(oauth_servers.close)
        network = NetworkClients(
            http, clock, dids, handles, Sealer([bytes(32)]), oauth_servers, InProcessCache(clock), POOL
        )
        stack.push_async_callback(network.wait_for_refreshes)
        metrics = Metrics("openmeet")
        deployment = Deployment(
            clock=clock,
            homes=homes,
            db=db,
            installation=stores.installation,
            queue=queue,
            network=network,
            directory=PlcClient(http, plc.url),
            publisher=PublishingDependencies(db, network, Catalog(), TidClock(3), enqueue, INSTANCE),
            processor=Processor(
                db,
                queue,
                IngestionContext(INSTANCE, (ERASURE_KEY,), trusted_origins=frozenset(home.proxy.url for home in homes)),
                processor_metrics(),
                clock,
            ),
            custodial_pds=CustodialPds(
                homes[0].proxy.url, admin_authorization(ADMIN), HANDLE_DOMAIN, "no-mail.meet.example"
            ),
            metrics=firehose_metrics(metrics),
            faults=faults,
        )
        yield deployment
