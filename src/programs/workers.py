"""All of the platform's workers in one process, for ``openmeet up``. Each can also run alone as a role."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from groundwork.telemetry.logs import log
from programs import event_processor, firehose_consumer, gauges, outbox_dispatcher, scheduler
from programs.platform import Installation
from programs.worker import Work, for_each

WORKERS: dict[str, Work] = {
    "firehose-consumer": firehose_consumer.work,
    "event-processor": for_each(event_processor.work),
    "publisher": for_each(outbox_dispatcher.work),
    "scheduler": for_each(scheduler.work),
    "gauges": gauges.work,
}


@asynccontextmanager
async def running(installation: Installation) -> AsyncIterator[None]:
    """Run every worker until the block ends. Work that has begun is finished."""
    stop = asyncio.Event()
    tasks = [
        asyncio.create_task(_watched(name, work, installation, stop), name=f"openmeet {name}")
        for name, work in WORKERS.items()
    ]
    try:
        yield
    finally:
        stop.set()
        await asyncio.gather(*tasks)


async def _watched(name: str, work: Work, installation: Installation, stop: asyncio.Event) -> None:
    """Log a worker that ends early, which is a bug. The others continue."""
    try:
        await work(installation, stop)
    except Exception as failure:  # noqa: BLE001 - the edge of a worker
        log.error("worker.ended", worker=name, exc_info=failure)
