"""``openmeet event-processor``: apply each community's queue to its database. Any number of processes can run."""

import asyncio

from openmeet.network.ingestion import processor
from openmeet.network.ingestion.processor import Processor, ingestion_metrics
from programs.platform import Platform


async def work(platform: Platform, stop: asyncio.Event) -> None:
    """Apply messages until ``stop`` is set."""
    counts = ingestion_metrics(platform.metrics, platform.results, tenant=platform.tenant.name)
    await processor.run(
        Processor(platform.db, platform.queue, platform.ingestion_context, counts, platform.clock), stop
    )
