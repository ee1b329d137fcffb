"""``openmeet event-processor``: from the queue into the tenant's database. Any number may run."""

import asyncio

from openmeet.ingestion import processor
from openmeet.ingestion.counting import counting
from openmeet.ingestion.processor import Processor
from programs.platform import Platform
from programs.worker import worker_role


async def work(platform: Platform, stop: asyncio.Event) -> None:
    """Apply until ``stop`` is set."""
    counts = counting(platform.metrics, platform.results, tenant=platform.tenants.default.name)
    await processor.run(Processor(platform.db, platform.queue, platform.here, counts, platform.clock), stop)


app = worker_role(work, "Apply messages until stopped.")
