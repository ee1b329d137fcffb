"""The queues that the contract is tested on: SQLite, PostgreSQL, RabbitMQ."""

import os
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from tests.databases import MakeDatabase
from tests.external_dependencies import needs

from groundwork.clock import HandClock
from groundwork.errors import Explanation, FailureReason
from groundwork.queue.contract import Queue
from groundwork.queue.embedded import EmbeddedQueue
from groundwork.queue.rabbitmq import RabbitQueue

BROKER = "amqp://guest:guest@127.0.0.1:5672/"

MakeQueue = Callable[[int], Awaitable[Queue]]


def because(text: str) -> Explanation:
    """A reason with a text."""
    return FailureReason.EARLIER_TEXT(text=text)


@pytest.fixture(params=["sqlite", "postgresql", pytest.param("rabbitmq", marks=needs("rabbitmq"))])
def broker(request: pytest.FixtureRequest) -> str:
    """The driver of the test's queue."""
    return str(request.param)


@pytest.fixture
def engine(broker: str) -> str:
    """The engine of an embedded queue's database."""
    return "sqlite" if broker == "rabbitmq" else broker


@pytest.fixture
async def make_queue(broker: str, make_database: MakeDatabase, clock: HandClock) -> AsyncIterator[MakeQueue]:
    """Opens empty queues with a limit."""
    opened: list[Queue] = []

    async def make(max_waiting: int) -> Queue:
        if broker == "rabbitmq":
            name = f"t_{os.getpid()}_{secrets.token_hex(4)}"
            opened.append(RabbitQueue(BROKER, clock, name=name, buckets=2, max_waiting=max_waiting))
        else:
            opened.append(EmbeddedQueue(await make_database("groundwork.queue"), clock, max_waiting=max_waiting))
        return opened[-1]

    yield make
    for queue in opened:
        if isinstance(queue, RabbitQueue):
            await queue.delete()
        await queue.close()


@pytest.fixture
async def queue(make_queue: MakeQueue) -> Queue:
    """An empty queue."""
    return await make_queue(1_000_000)


@pytest.fixture
async def small_queue(make_queue: MakeQueue) -> Queue:
    """An empty queue for a few messages."""
    return await make_queue(10)
