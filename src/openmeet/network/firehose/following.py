"""Follow a source of any protocol: shared dependencies, the state of its connection, and the two tasks (reading and
draining) that run until a stop.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from at_network.event_stream import Backoff
from groundwork.clock import Clock
from groundwork.database.transaction import Database, Transaction
from groundwork.errors import Explanation, Failure, reason_of
from groundwork.http.client import HttpClient
from openmeet.network.firehose import cursors
from openmeet.network.firehose.cursors import SourceState
from openmeet.network.firehose.delivery import TenantQueues
from openmeet.network.firehose.metrics import FirehoseMetrics
from openmeet.network.firehose.reasons import FirehoseReason
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


@dataclass(frozen=True, slots=True)
class ConnectionState:
    """The state of a source according to its connection; ``reason``: why it was lost, None if it is open."""

    state: SourceState
    reason: Explanation | None


class ConnectionReport:
    """Reports to the database whether the connection to a source is open. Only the last state is stored, with ``save``
    and, after the commit, ``saved``.
    """

    def __init__(self, store: Callable[[Transaction, ConnectionState], Awaitable[None]]) -> None:
        self._store = store
        self._unsaved: ConnectionState | None = None

    @property
    def is_changed(self) -> bool:
        """Whether there is a state that is not stored yet."""
        return self._unsaved is not None

    async def opened(self) -> None:
        """Note that a connection is open."""
        self._unsaved = ConnectionState(SourceState.FOLLOWING, None)

    def lost(self, failure: Failure | None) -> Explanation:
        """Note that the connection has ended, and return why. ``failure``: None if the server closed it."""
        reason = FirehoseReason.CLOSED_BY_SERVER() if failure is None else reason_of(failure)
        self._unsaved = ConnectionState(SourceState.FAILING, reason)
        return reason

    async def save(self, tx: Transaction) -> ConnectionState | None:
        """Store the state, if it has changed; return what was stored."""
        snapshot = self._unsaved
        if snapshot is not None:
            await self._store(tx, snapshot)
        return snapshot

    def saved(self, snapshot: ConnectionState | None) -> None:
        """Note that ``snapshot`` is committed. A state that was noted since is stored next time."""
        if self._unsaved is snapshot:
            self._unsaved = None


def report_of_source(url: str) -> ConnectionReport:
    """Return the report about a source in ``cursors``."""

    async def store(tx: Transaction, connection: ConnectionState) -> None:
        if connection.state is SourceState.FOLLOWING:
            await cursors.note_open(tx, url)
        else:
            await cursors.set_state(tx, url, connection.state, connection.reason)

    return ConnectionReport(store)


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
