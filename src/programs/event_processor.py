"""``openmeet event-processor``: from each community's queue into its database. Any number may run."""

import asyncio

from openmeet.ingestion import processor
from openmeet.ingestion.counting import counting
from openmeet.ingestion.processor import Processor
from programs.platform import Platform
from programs.worker import for_each, worker_role


async def work(platform: Platform, stop: asyncio.Event) -> None:
    """Apply until ``stop`` is set."""
    counts = counting(platform.metrics, platform.results, tenant=platform.tenant.name)
    await processor.run(Processor(platform.db, platform.queue, platform.here, counts, platform.clock), stop)


app = worker_role(for_each(work), "Apply messages until stopped.")
