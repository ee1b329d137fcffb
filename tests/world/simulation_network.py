"""The real network of the simulation, in one process and without tasks of its own: each part moves when it is told to.

Directory and PDS answer on loopback; between OpenMeet and the PDS stands a proxy that loses replies or is away. Consumer,
queue, processor, publisher and payers are the real ones on SQLite; the clock is turned by hand.
"""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from at_network.did_resolver import DidResolver, DidSettings
from at_network.handle_resolver import HandleResolver, HandleSettings
from at_protocol.lexicon.catalog import Catalog
from at_protocol.syntax.tid import TidClock
from aurora_locus.app import AuroraLocus, open_server
from aurora_locus.sequencer import queries as sequencer
from aurora_locus.settings import Settings as PdsSettings
from groundwork.clock import SECOND, HandClock, Instant
from groundwork.database.migrate import migrate
from groundwork.database.open_ import open_database
from groundwork.database.transaction import Database
from groundwork.http.client import HttpClient
from groundwork.http.reach import DEVELOPMENT
from groundwork.http.server import serve
from groundwork.outbox import pay as debts
from groundwork.outbox.pay import Paying
from groundwork.queue.contract import Message
from groundwork.queue.embedded import EmbeddedQueue
from groundwork.sealing import Sealer
from groundwork.settings import Secret
from groundwork.telemetry.metrics import Metrics
from openmeet.debts.kinds import Debt
from openmeet.firehose.consumer import Consumer, follow_source
from openmeet.firehose.counting import Counting
from openmeet.firehose.counting import counting as firehose_counting
from openmeet.firehose.interests import everything_for, interests_of
from openmeet.firehose.verification import Verifier
from openmeet.identities.custodial import Keeper, account_payer, admin_authorization
from openmeet.identities.network import Network
from openmeet.ingestion import backfill, fetching, processor, refreshing
from openmeet.ingestion.events import Here
from openmeet.ingestion.processor import Processor
from openmeet.publication import payer
from openmeet.publication.publisher import Publisher
from openmeet.records.message import RecordMessage, encode
from plc_directory.app import open_directory
from plc_directory.settings import PlcSettings
from tests.world.processes import free_port
from tests.world.proxy import LossyProxy

INSTANCE = "https://meet.example"
ADMIN = "an administrator's password"
HANDLE_DOMAIN = ".town.test"
# 2026-03-01T12:00:00Z
START = Instant(1_772_366_400_000_000)
NOWHERE = "http://127.0.0.1:9"


class RecordedQueue(EmbeddedQueue):
    """The embedded queue, with a memory of all it was given, so that old messages can come again."""

    def __init__(self, database: Database, clock: HandClock) -> None:
        super().__init__(database, clock)
        self.memory: list[Message] = []

    async def publish(self, messages: Sequence[Message], /) -> None:
        await super().publish(messages)
        self.memory += messages


@dataclass
class Faults:
    """Loses the reply of the n-th request from now on, and kills whoever waits for it if told so."""

    left: int | None = None
    victim: asyncio.Task[object] | None = None

    def loses(self, _request: web.Request) -> bool:
        if self.left is None:
            return False
        self.left -= 1
        if self.left > 0:
            return False
        self.left = None
        if self.victim is not None:
            self.victim.cancel()
        return True

    def clear(self) -> None:
        self.left = self.victim = None


@dataclass
class Town:
    """The network, and what its programs do when it is their turn."""

    clock: HandClock
    pds: AuroraLocus
    pds_url: str
    proxy: LossyProxy
    db: Database
    installation: Database
    queue: RecordedQueue
    network: Network
    publisher: Publisher
    processor: Processor
    keeper: Keeper
    metrics: Counting
    faults: Faults = field(default_factory=Faults)
    followed: set[str] = field(default_factory=set)
    consumer: Consumer | None = None

    @property
    def is_pds_away(self) -> bool:
        return self.proxy.upstream == NOWHERE

    def take_pds_away(self, *, is_away: bool) -> None:
        """For OpenMeet; other people's own applications still reach it."""
        self.proxy.upstream = NOWHERE if is_away else self.pds_url

    async def last_seq(self) -> int:
        async with self.pds.registry.db.reader() as reader:
            row = await reader.fetch_one("select last from sequencer")
        assert row is not None
        return int(row["last"])

    async def frames(self) -> list[bytes]:
        """Everything that the PDS ever announced."""
        found: list[tuple[int, bytes]] = []
        while page := await sequencer.page(self.pds.registry.db, found[-1][0] if found else 0, 1000):
            found += page
        return [frame for _, frame in found]

    def restart_consumer(self) -> None:
        """A new process: nothing in memory, the stored cursor."""
        self.consumer = None

    async def rewind(self, frames: int) -> None:
        """The stored cursor goes back, as after restoring an older database: frames come again."""
        async with self.installation.transaction() as tx:
            await tx.execute("update sources set cursor = max(0, cursor - :frames)", frames=frames)

    async def listen(self) -> None:
        """Follow the firehose until nothing new is there."""
        if self.consumer is None:
            self.consumer = Consumer(
                db=self.installation,
                http=self.network.http,
                clock=self.clock,
                verifier=Verifier(self.network.dids, self.clock),
                interests=interests_of(everything_for("main")),
                queues={"main": self.queue},
                counting=self.metrics,
            )
        self.consumer.interests.followed.update(self.followed)
        last, stop = await self.last_seq(), asyncio.Event()
        following = asyncio.create_task(follow_source(self.consumer, self.pds_url, stop))
        try:
            async with asyncio.timeout(30):
                while await self._cursor() < last:  # noqa: ASYNC110 - it moves in a database, which rings no bell
                    await asyncio.sleep(0.002)
        finally:
            stop.set()
            await following

    async def _cursor(self) -> int:
        async with self.installation.reader() as reader:
            row = await reader.fetch_one("select cursor from sources where url = :url", url=self.pds_url)
        return 0 if row is None or row["cursor"] is None else int(row["cursor"])

    async def process(self, limit: int = 200) -> int:
        """One batch of messages."""
        return await processor.run_once(self.processor, limit=limit)

    async def process_all(self) -> None:
        while await self.process():
            pass

    async def process_and_die(self, chance: random.Random) -> None:
        """The processor is killed somewhere in the middle of a batch; its lease ends a minute later."""
        await self._die(self.process(chance.randint(1, 20)), chance)

    async def pay(self) -> int:
        """Record debts that are due now."""
        return await payer.run_once(self.publisher)

    async def pay_badly(self, chance: random.Random) -> None:
        """A reply is lost, or the publisher dies while it waits for one."""
        task: asyncio.Task[object] = asyncio.create_task(self.pay())
        self.faults.left = chance.randint(1, 6)
        self.faults.victim = task if chance.random() < 0.6 else None
        with contextlib.suppress(asyncio.CancelledError):
            await task
        # What it had sent arrives before its lease is over: the clock stands still. What arrives much later is told in
        # tests/openmeet/publication/test_late.py.
        await self.proxy.quiet()
        self.faults.clear()

    async def pay_debts(self) -> int:
        """Accounts, identities, reads of repositories."""
        here = self.processor.here
        return await debts.run_once(
            self.db,
            {
                Debt.CUSTODIAL_ACCOUNT: Paying(account_payer(self.db, self.network, self.keeper)),
                Debt.BACKFILL: Paying(backfill.backfill_payer(self.db, self.network, here)),
                Debt.FETCH_SUBJECT: Paying(fetching.subject_payer(self.db, self.network, here)),
                Debt.REFRESH_IDENTITY: Paying(refreshing.identity_payer(self.db, self.network)),
            },
        )

    async def replay(self, chance: random.Random, count: int) -> None:
        """Old messages come again, in any order."""
        if self.queue.memory:
            await EmbeddedQueue.publish(self.queue, chance.choices(self.queue.memory, k=count))

    async def _die(self, work: object, chance: random.Random) -> None:
        task = asyncio.ensure_future(work)  # type: ignore[call-overload]  # a coroutine of any result
        for _ in range(chance.randint(0, 12)):
            await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@asynccontextmanager
async def open_town(folder: Path) -> AsyncIterator[Town]:
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
        port = free_port()
        pds_url = f"http://127.0.0.1:{port}"
        proxy = await stack.enter_async_context(LossyProxy(pds_url))
        pds = await stack.enter_async_context(
            open_server(
                PdsSettings(
                    hostname="127.0.0.1",
                    port=port,
                    public_url=proxy.url,
                    data_directory=folder / "pds",
                    service_handle_domains=(HANDLE_DOMAIN,),
                    did_plc_url=plc.url,
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
        http = HttpClient(DEVELOPMENT)
        stack.push_async_callback(http.close)
        dids = DidResolver(http, clock, DidSettings(plc.url, is_development=True))
        stack.push_async_callback(dids.close)
        handles = HandleResolver(http, dids, clock, HandleSettings(is_development=True, through_pds=(pds_url,)))
        stack.push_async_callback(handles.close)
        db, installation, waiting = [
            await _database(stack, folder / f"{package}.db", package, clock)
            for package in ("openmeet", "openmeet.firehose", "groundwork.queue")
        ]
        queue = RecordedQueue(waiting, clock)

        async def enqueue(messages: Sequence[RecordMessage]) -> None:
            await queue.publish([Message(one.routing_key, one.did, encode(one), one.message_id) for one in messages])

        network = Network(http, clock, dids, handles, Sealer([bytes(32)]))
        metrics = Metrics("openmeet")
        town = Town(
            clock=clock,
            pds=pds,
            pds_url=pds_url,
            proxy=proxy,
            db=db,
            installation=installation,
            queue=queue,
            network=network,
            publisher=Publisher(db, network, Catalog(), TidClock(3), enqueue, INSTANCE),
            processor=Processor(db, queue, Here(INSTANCE), processor.counting(metrics)),
            keeper=Keeper(proxy.url, admin_authorization(ADMIN), HANDLE_DOMAIN, "no-mail.meet.example"),
            metrics=firehose_counting(metrics),
        )
        proxy.loses = town.faults.loses
        yield town


async def _database(stack: AsyncExitStack, file: Path, package: str, clock: HandClock) -> Database:
    await migrate(f"sqlite://{file}", "", package)
    database = await open_database(f"sqlite://{file}", clock=clock)
    stack.push_async_callback(database.close)
    return database


LEASE = 61 * SECOND
