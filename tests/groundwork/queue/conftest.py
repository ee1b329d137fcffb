"""The queues that the contract is tried on: in SQLite, in PostgreSQL, in RabbitMQ."""

from collections.abc import AsyncIterator

import pytest
from tests.databases import MakeDatabase

from groundwork.clock import HandClock
from groundwork.queue.contract import Queue
from groundwork.queue.embedded import EmbeddedQueue


@pytest.fixture
async def queue(make_database: MakeDatabase, clock: HandClock) -> AsyncIterator[Queue]:
    """An empty queue."""
    opened = EmbeddedQueue(await make_database("groundwork.queue"), clock)
    yield opened
    await opened.close()


@pytest.fixture
async def small_queue(make_database: MakeDatabase, clock: HandClock) -> AsyncIterator[Queue]:
    """An empty queue for few messages."""
    opened = EmbeddedQueue(await make_database("groundwork.queue"), clock, max_waiting=10)
    yield opened
    await opened.close()
