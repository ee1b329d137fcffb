"""Follow the traffic of the whole network through a real socket: how much of a core it takes to find the records about
events.
"""

import asyncio
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter, process_time
from typing import Final

from at_network.did_resolver import DidResolver, DidSettings
from at_protocol.sync.verify import LIGHT
from groundwork.clock import SystemClock
from groundwork.database.migrate import migrate
from groundwork.database.open_ import open_database
from groundwork.database.transaction import Database
from groundwork.http.client import HttpClient
from groundwork.http.reach import DEVELOPMENT
from groundwork.queue.open_ import open_embedded
from groundwork.telemetry.metrics import Metrics
from openmeet.network.firehose.consumer import follow_source
from openmeet.network.firehose.delivery import TenantQueues
from openmeet.network.firehose.following import Consumer
from openmeet.network.firehose.metrics import firehose_metrics
from openmeet.network.firehose.tenant_interests import default_interests, interests_of
from openmeet.network.firehose.verification import Verifier
from tests.bench import captured
from tests.bench.figure import Figure, check
from tests.bench.frames import RELAY_PER_SECOND
from tests.bench.loop import run
from tests.bench.relay_source import FIRST
from tests.bench.timing import progress as say
from tests.external_dependencies import ROOT

SECONDS: Final = 20


def measure() -> Iterator[Figure]:
    check(bool(captured.frames()), "the captured frames are missing: set OPENMEET_FIXTURES to their folder")
    say(f"{RELAY_PER_SECOND:,} frames/s for {SECONDS} s")
    command = [sys.executable, "-m", "tests.bench.relay_source", str(RELAY_PER_SECOND), str(SECONDS)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as source:
        assert source.stdout is not None
        try:
            seconds, busy, frames = run(_watch(source.stdout.readline().strip()))
        finally:
            source.terminate()
    yield Figure(
        f"{RELAY_PER_SECOND:,} frames/s of a relay watched, light, of one core",
        100 * busy / seconds,
        "%",
        10,
        less_is_better=True,
        note=f"{frames / seconds:,.0f} frames/s came through the socket",
    )


async def _watch(url: str) -> tuple[float, float, int]:
    """Seconds, processor seconds of this process, and number of frames, from the first stored cursor to the last."""
    clock = SystemClock()
    with tempfile.TemporaryDirectory(prefix="openmeet-bench-") as folder:
        address = f"sqlite://{Path(folder) / 'firehose.db'}"
        await migrate(address, "", "openmeet.network.firehose")
        db = await open_database(address, clock=clock)
        queue = await open_embedded(f"sqlite://{Path(folder) / 'queue.db'}", "", clock)
        http = HttpClient(DEVELOPMENT)
        dids = DidResolver(http, clock, DidSettings("http://127.0.0.1:9", is_development=True))
        counts = firehose_metrics(Metrics("openmeet"))
        consumer = Consumer(
            db=db,
            http=http,
            clock=clock,
            verifier=Verifier(dids, clock, verification=LIGHT),
            interests=interests_of(default_interests("main")),
            tenant_queues=TenantQueues({"main": queue}, counts),
            metrics=counts,
        )
        stop = asyncio.Event()
        following = asyncio.create_task(follow_source(consumer, url, stop))

        first = await _reached(db, FIRST)
        begun, busy = perf_counter(), process_time()
        # Not quite to the end, because the cursor is stored about once a second.
        now = await _reached(db, FIRST + RELAY_PER_SECOND * (SECONDS - 2))
        found = perf_counter() - begun, process_time() - busy, now - first
        stop.set()
        await following
        await dids.close()
        await http.close()
        await queue.close()
        await db.close()
        return found


async def _reached(db: Database, number: int) -> int:
    """Wait until the cursor has been stored, and return it."""
    while True:
        async with db.reader() as reader:
            row = await reader.fetch_one("select cursor from sources")
        if row is not None and (row["cursor"] or 0) >= number:
            return int(row["cursor"])
        await asyncio.sleep(0.25)
