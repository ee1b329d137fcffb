"""All of the platform's workers in one process, for ``openmeet up``. Each can also run alone as a role."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from groundwork.telemetry.health import log_fields
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


# Pause before a worker that ended is started again, as systemd and the cluster do with the roles.
AGAIN_SECONDS = 5.0


async def _watched(name: str, work: Work, installation: Installation, stop: asyncio.Event) -> None:
    """Start a worker again if it ends early, for example because the database was too slow when it began."""
    while not stop.is_set():
        try:
            await work(installation, stop)
        except Exception as failure:  # noqa: BLE001 - the edge of a worker
            log.error("worker.ended", worker=name, again_in_seconds=AGAIN_SECONDS, **log_fields(failure))
        else:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(AGAIN_SECONDS):
                await stop.wait()
