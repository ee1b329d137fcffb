"""``openmeet event-processor``: from the queue into the tenant's database. Any number may run."""

import asyncio

from openmeet.ingestion import processor
from openmeet.ingestion.processor import Processor, counting
from programs.platform import Platform
from programs.worker import worker_role


async def work(platform: Platform, stop: asyncio.Event) -> None:
    """Apply until ``stop`` is set."""
    counts = counting(platform.metrics)
    await processor.run(Processor(platform.db, platform.queue, platform.here, counts), stop)


app = worker_role(work, "Apply messages until stopped.")
