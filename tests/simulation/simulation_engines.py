"""Engines for OpenMeet's rows and messages in a simulation: files only, PostgreSQL, or PostgreSQL and RabbitMQ.

The PDSs and the directory are other people's servers and always use files.
"""

import itertools
import os
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from groundwork.clock import Clock
from groundwork.database.migrate import migrate
from groundwork.database.open_ import open_database
from groundwork.database.transaction import Database
from groundwork.errors import Explanation
from groundwork.queue.contract import DeadLetter, Delivery, Message, Queue, QueueDepth
from groundwork.queue.embedded import EmbeddedQueue
from groundwork.queue.rabbitmq import RabbitQueue
from openmeet.network.records.message import Hint, HintKind, decode
from tests.databases import drop_schemas, make_schema

BROKER = "amqp://guest:guest@127.0.0.1:5672/"

# Transactions are slow on a busy machine, which says nothing about the code. With this timeout, none is given up.
TIMEOUT_SECONDS = 120.0
# How often a broker is queried before it counts as empty.
LOOKS = 3

_numbers = itertools.count(1)


class Engine(StrEnum):
    """The engines that a run uses."""

    FILES = "sqlite"
    POSTGRESQL = "postgresql"
    POSTGRESQL_RABBITMQ = "postgresql+rabbitmq"


@dataclass(frozen=True)
class Stores:
    """The databases of one run, which start empty, and its queue."""

    db: Database
    installation: Database
    queue: "RecordedQueue"


class RecordedQueue:
    """A queue that remembers all published messages, so that they can be replayed."""

    def __init__(self, queue: Queue, *, is_remote: bool = False) -> None:
        self._queue = queue
        self._is_remote = is_remote
        self._gathered: list[Message] | None = None
        self.memory: list[Message] = []
        # Called with each message that was acknowledged.
        self.tell: Callable[[Message], None] = lambda _message: None

    async def publish(self, messages: Sequence[Message], /) -> None:
        if self._gathered is not None:
            self._gathered += messages
            return
        await self._queue.publish(messages)
        self.memory += messages

    @asynccontextmanager
    async def gathering(self) -> AsyncIterator[None]:
        """Publish the messages of the block at its end, in an order that depends only on the earlier messages.

        Otherwise, messages about different repositories, accounts and identities would come in an order that no seed
        determines. Messages about the records of one repository keep their order.
        """
        self._gathered = []
        try:
            yield
        finally:
            gathered, self._gathered = self._gathered, None
        by_line: dict[tuple[str, str], list[Message]] = defaultdict(list)
        for message in gathered:
            by_line[_line_of(message)].append(message)
        turns = sorted(map(_line_of, gathered))
        random.Random(len(self.memory)).shuffle(turns)
        if turns:
            await self.publish([by_line[turn].pop(0) for turn in turns])

    async def again(self, messages: Sequence[Message]) -> None:
        """Publish old messages again without remembering them."""
        await self._queue.publish(messages)

    async def replay(self, chance: random.Random, count: int) -> None:
        """Publish some old messages again, in random order."""
        if self.memory:
            await self.again(chance.choices(self.memory, k=count))

    async def lease(self, limit: int, lease_seconds: float) -> list[Delivery]:
        deliveries = await self._queue.lease(limit, lease_seconds)
        for _ in range(LOOKS if self._is_remote and not deliveries else 0):
            # A broker delivers asynchronously. Its reply to a question comes after the messages that it has delivered.
            await self._queue.depth()
            deliveries = deliveries or await self._queue.lease(limit, lease_seconds)
        return deliveries

    async def wait(self, timeout_seconds: float) -> None:
        await self._queue.wait(timeout_seconds)

    async def ack(self, deliveries: Sequence[Delivery], /) -> None:
        await self._queue.ack(deliveries)
        for one in deliveries:
            self.tell(one.message)

    async def retry(self, delivery: Delivery, after_seconds: float, reason: Explanation) -> None:
        await self._queue.retry(delivery, after_seconds, reason)

    async def bury(self, delivery: Delivery, reason: Explanation) -> None:
        await self._queue.bury(delivery, reason)

    async def dead_letters(self, limit: int, after: str = "") -> list[DeadLetter]:
        return await self._queue.dead_letters(limit, after)

    async def retry_dead(self, letter_ids: Sequence[str], /) -> int:
        return await self._queue.retry_dead(letter_ids)

    async def discard_dead(self, letter_ids: Sequence[str], /) -> int:
        return await self._queue.discard_dead(letter_ids)

    async def forget(self, partition: str, is_over: Callable[[bytes], bool], /) -> int:
        return await self._queue.forget(partition, is_over)

    async def depth(self) -> QueueDepth:
        return await self._queue.depth()

    async def close(self) -> None:
        await self._queue.close()


def _line_of(message: Message) -> tuple[str, str]:
    """The group of messages within which the order is kept."""
    said = decode(message.body)
    is_about_account = isinstance(said, Hint) and said.kind is not HintKind.REPOSITORY
    return message.partition, said.kind.value if is_about_account else ""


async def open_stores(stack: AsyncExitStack, folder: Path, clock: Clock, engine: Engine, server: str) -> Stores:
    """Open the stores until the stack is closed. Afterwards no data of the run is left on a server."""
    made = [
        await _database(stack, folder, package, clock, engine, server)
        for package in ("openmeet", "openmeet.network.firehose", "groundwork.queue")
    ]
    if engine is not Engine.POSTGRESQL_RABBITMQ:
        return Stores(made[0], made[1], RecordedQueue(EmbeddedQueue(made[2], clock)))
    broker = RabbitQueue(BROKER, clock, name=f"world_{os.getpid()}_{next(_numbers)}", buckets=2)
    stack.push_async_callback(broker.close)
    stack.push_async_callback(broker.delete)
    return Stores(made[0], made[1], RecordedQueue(broker, is_remote=True))


async def _database(
    stack: AsyncExitStack, folder: Path, package: str, clock: Clock, engine: Engine, server: str
) -> Database:
    if engine is Engine.FILES:
        url, schema = f"sqlite://{folder / package}.db", ""
        await migrate(url, schema, package)
    else:
        url, schema = server, f"world_{os.getpid()}_{next(_numbers)}"
        await make_schema(url, schema, package)
        stack.push_async_callback(drop_schemas, url, [schema])
    database = await open_database(
        url, schema=schema, clock=clock, transaction_seconds=TIMEOUT_SECONDS, reader_seconds=TIMEOUT_SECONDS
    )
    stack.push_async_callback(database.close)
    return database
