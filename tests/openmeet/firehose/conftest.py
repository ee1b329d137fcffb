"""A firehose consumer on loopback, with a PLC directory, a queue and the network database."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import pytest

from at_network.did_resolver import DidResolver, DidSettings
from at_network.event_stream import Backoff
from at_protocol.sync.frames import summarize
from at_protocol.syntax.datetime import parse_datetime
from groundwork.clock import HandClock, Instant
from groundwork.database.transaction import Database
from groundwork.http.client import HttpClient
from groundwork.http.reach import DEVELOPMENT
from groundwork.queue.contract import Queue
from groundwork.queue.embedded import EmbeddedQueue
from groundwork.telemetry.metrics import Metrics
from openmeet.network.firehose.delivery import TenantQueues
from openmeet.network.firehose.following import Consumer
from openmeet.network.firehose.metrics import firehose_metrics
from openmeet.network.firehose.tenant_interests import interests_of
from openmeet.network.firehose.verification import Verifier
from tests.databases import MakeDatabase
from tests.external_dependencies import fixture_path, is_available, is_required
from tests.openmeet.deployment import deployment
from tests.simulation.directory import Directory
from tests.simulation.relay import read_frames

__all__ = ["deployment"]

TENANT = "main"
CAPTURE = "data/firehose/relay-2026-07-04-a"


@dataclass
class Bench:
    """A consumer with its databases and queue; ``clock`` is set to an hour after the capture."""

    db: Database
    queue: Queue
    consumer: Consumer
    directory: Directory
    clock: HandClock

    def interested_in(self, *wanted: tuple[str, str]) -> None:
        """Add interests, each a (kind, value) pair."""
        self.consumer = replace(
            self.consumer, interests=interests_of([(TENANT, kind, value) for kind, value in wanted])
        )


async def at_once(_seconds: float) -> None:
    """Stand in for a sleep function and return at once."""


def captured_frames() -> list[bytes]:
    return read_frames(fixture_path(f"{CAPTURE}.frames.bin"))


def captured_documents() -> dict[str, dict[str, object]]:
    documents: dict[str, dict[str, object]] = json.loads(fixture_path(f"{CAPTURE}.did-docs.json").read_text())
    return documents


def sequences(frames: list[bytes]) -> list[int]:
    return [summarize(frame).seq for frame in frames]


@pytest.fixture
async def bench(make_sqlite: MakeDatabase) -> AsyncIterator[Bench]:
    if not is_available("fixtures") and not is_required("fixtures"):
        pytest.skip("missing dependency: fixtures")
    clock = HandClock(Instant(parse_datetime("2026-07-04T23:00:00Z")))
    db = await make_sqlite("openmeet.network.firehose", clock=clock)
    queue = EmbeddedQueue(await make_sqlite("groundwork.queue", clock=clock), clock)
    http = HttpClient(DEVELOPMENT)
    async with Directory(captured_documents()) as directory:
        dids = DidResolver(http, clock, DidSettings(directory.url, is_development=True))
        counts, backoff = firehose_metrics(Metrics("openmeet")), Backoff(first_seconds=0.01, longest_seconds=0.01)
        consumer = Consumer(
            db=db,
            http=http,
            clock=clock,
            verifier=Verifier(dids, clock),
            interests=interests_of([]),
            tenant_queues=TenantQueues({TENANT: queue}, counts, backoff),
            metrics=counts,
            backoff=backoff,
        )
        yield Bench(db, queue, consumer, directory, clock)
        await dids.close()
    await http.close()
