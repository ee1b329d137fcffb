"""Tasks that run beside the requests: one task in the background, and the dispatcher of jobs."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from groundwork.database.transaction import Database
from groundwork.outbox import dispatcher as job_dispatcher
from groundwork.outbox.delivery import JobDelivery
from groundwork.outbox.wakeup import new_wakeup

# This process wakes the dispatcher for its own jobs. Polling finds retries and the jobs of other processes.
JOBS_IDLE_SECONDS = 5.0
# Longer than a normal exchange with a mail server.
JOBS_PATIENCE_SECONDS = 5.0


def start_task(stack: AsyncExitStack, coroutine: Coroutine[Any, Any, None], *, name: str) -> None:
    """Run a task until the exit stack is closed."""
    stack.push_async_callback(_cancel, asyncio.create_task(coroutine, name=name))


@asynccontextmanager
async def run_jobs(db: Database, deliveries: Mapping[str, JobDelivery]) -> AsyncIterator[None]:
    """Run the dispatcher while the block runs. At the end, jobs in progress get a moment to finish."""
    stop = asyncio.Event()
    task = asyncio.create_task(
        job_dispatcher.run(db, deliveries, stop, wake=new_wakeup(), idle_seconds=JOBS_IDLE_SECONDS), name="pds jobs"
    )
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait([task], timeout=JOBS_PATIENCE_SECONDS)
        await _cancel(task)


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
