"""Follow a source of any protocol: shared dependencies, and the two tasks (reading and draining) that run until a stop."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from at_network.event_stream import Backoff
from groundwork.clock import Clock
from groundwork.database.transaction import Database
from groundwork.http.client import HttpClient
from openmeet.network.firehose.delivery import TenantQueues
from openmeet.network.firehose.metrics import FirehoseMetrics
from openmeet.network.firehose.tenant_interests import Interests
from openmeet.network.firehose.unresolved import UnresolvedAuthors
from openmeet.network.firehose.verification import Verifier

# Frames being verified or waiting for the queue; a few megabytes at the usual 5 kB per frame.
MAX_PENDING = 1000
BATCH = 200
# How far the stored cursor may lag behind if no tenant is interested in the frames.
SAVE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Consumer:
    """Dependencies for following a stream. ``sleep``: the event loop's function, or a replacement in tests."""

    db: Database
    http: HttpClient
    clock: Clock
    verifier: Verifier
    interests: Interests
    tenant_queues: TenantQueues
    metrics: FirehoseMetrics
    unresolved: UnresolvedAuthors = field(default_factory=UnresolvedAuthors)
    backoff: Backoff = field(default_factory=Backoff)
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


class FollowedStream(Protocol):
    """A source being followed. ``read`` receives frames from it; ``drain`` delivers them and moves the cursor."""

    async def read(self) -> None: ...

    async def drain(self) -> None: ...


async def follow_until(stop: asyncio.Event, source: FollowedStream, url: str) -> None:
    """Run until ``stop`` is set or one of the two tasks ends. A failure is raised. Both tasks have ended when this call
    returns.
    """
    tasks = [
        asyncio.create_task(source.read(), name=f"read {url}"),
        asyncio.create_task(source.drain(), name=f"drain {url}"),
        asyncio.create_task(stop.wait(), name="stop"),
    ]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
