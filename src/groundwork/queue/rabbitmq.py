"""Queue on RabbitMQ (3.10 or newer): a topic exchange, quorum queues, a dead-letter exchange.

- The exchange ``<name>`` takes ``<routing key>.b<bucket>``, where the bucket is a hash of the partition. There is a
  fixed number of quorum queues ``<name>.<bucket>``, and each has one active consumer at a time. A partition therefore
  has one worker, and order is kept when a worker crashes and another takes over. Other programs can bind their own
  queues, for example to ``event.#``.
- Publishing waits for the broker's confirmation. A full queue rejects messages (``reject-publish``): some messages of
  the call might have been accepted, and the caller repeats the whole call.
- The worker keeps leases and delays (``leases.py``) while the broker holds the message unacknowledged. If the
  connection is lost, the broker delivers the message again, which also counts in ``attempts``.
- Dead letters go to ``<name>.dead`` with reason headers. The broker itself sends messages there that were delivered too
  often. Listing takes them out and puts them back, so only one process should list at a time.
- A message that waits for ``keep_seconds`` becomes a dead letter, and one that a worker buried is deleted after the
  same time, even while no program of ours is running.
- AMQP does not report what other workers hold: ``depth`` counts messages that are ready and those that this process
  holds.
"""

import asyncio
import functools
import itertools
import logging
import os
import zlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from urllib.parse import unquote, urlsplit

import aio_pika
from aio_pika.abc import (
    AbstractChannel,
    AbstractConnection,
    AbstractExchange,
    AbstractIncomingMessage,
    AbstractQueue,
    ExchangeType,
)
from aio_pika.connection import make_url
from aio_pika.exceptions import AMQPError, ChannelInvalidStateError, DeliveryError
from aiormq.exceptions import AuthenticationError, InvalidFrameError, ProbableAuthenticationError

from groundwork.clock import SECOND, Clock, Instant, from_datetime
from groundwork.errors import Explanation, encode_explanation, read_explanation
from groundwork.queue.contract import (
    MAX_RETRY_SECONDS,
    DeadLetter,
    Delivery,
    Message,
    QueueDepth,
    QueueFull,
    QueueReason,
    QueueUnavailable,
)
from groundwork.queue.leases import BrokerMessage, LeaseBook
from groundwork.telemetry.logs import log

# Messages of one bucket that a worker holds: enough to keep it busy, and few enough to move to another worker quickly.
PREFETCH = 500
# After how many deliveries that ended with a lost worker the broker dead-letters a message. Restarts count too, so the
# number is not small.
DELIVERY_LIMIT = 100
# The number of dead letters that one call lists.
MAX_LETTERS = 10_000

_CONNECT_SECONDS = 10.0
_CONFIRM_SECONDS = 30.0
_FAULTS = (AMQPError, ChannelInvalidStateError, OSError, TimeoutError)


class _Connection(aio_pika.Connection):
    """A connection without the library's finalizer, which starts to close it wherever the garbage collector runs, even
    in a thread without an event loop.
    """

    def __del__(self) -> None:
        pass


# What the library logs when a connection is lost and at each attempt to connect. ``RabbitQueue`` logs it once.
_LIBRARY_MESSAGES = (
    "error when creating transport",
    "Cancelling cause reader exited",
    "Unexpected connection close from remote",
)


def _is_worth_logging(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith(_LIBRARY_MESSAGES)


logging.getLogger("aiormq.connection").addFilter(_is_worth_logging)


class RabbitQueue:
    """One queue of a broker. It connects when first used, and again after the connection was lost."""

    def __init__(
        self,
        url: str,
        clock: Clock,
        *,
        name: str = "openmeet",
        buckets: int = 8,
        max_waiting: int = 1_000_000,
        keep_seconds: float | None = None,
    ) -> None:
        self._url = url
        self._clock = clock
        self._name = name
        self._buckets = buckets
        self._max_waiting = max_waiting
        self._keep_seconds = keep_seconds
        self._connection: AbstractConnection | None = None
        self._publishing: AbstractChannel | None = None
        self._consuming: AbstractChannel | None = None
        self._exchange: AbstractExchange | None = None
        self._dead_exchange: AbstractExchange | None = None
        self._queues: list[AbstractQueue] = []
        self._incoming: dict[int, AbstractIncomingMessage] = {}
        self._leases = LeaseBook()
        self._news = asyncio.Event()
        self._connecting = asyncio.Lock()
        self._looking = asyncio.Lock()
        self._letters = itertools.count()
        self._is_unreachable = False

    async def publish(self, messages: Sequence[Message], /) -> None:
        async with self._broker():
            exchange, _ = await self._ready()
            now = self._clock.now()
            await _all(
                exchange.publish(self._outgoing(message, now), self._route(message), timeout=_CONFIRM_SECONDS)
                for message in messages
            )

    async def lease(self, limit: int, lease_seconds: float) -> list[Delivery]:
        async with self._broker():
            await self._consume()
        # Cleared before looking, so that a message that arrives after this wakes the next waiter.
        self._news.clear()
        now = self._clock.now()
        deliveries = self._leases.take(limit, now, Instant(now + round(lease_seconds * SECOND)))
        if len(deliveries) == limit:
            self._news.set()
        return deliveries

    async def wait(self, timeout_seconds: float) -> None:
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._news.wait()
        except TimeoutError:
            return

    async def ack(self, deliveries: Sequence[Delivery], /) -> None:
        async with self._broker():
            for delivery in deliveries:
                await self._complete(delivery)

    async def retry(self, delivery: Delivery, after_seconds: float, reason: Explanation) -> None:  # noqa: ARG002 - AMQP cannot store a reason for a message that the broker still holds
        delay = round(min(after_seconds, MAX_RETRY_SECONDS) * SECOND)
        self._leases.postpone(delivery, Instant(self._clock.now() + delay))
        self._news.set()

    async def bury(self, delivery: Delivery, reason: Explanation) -> None:
        item = self._leases.find(delivery)
        if item is None:
            return
        async with self._broker():
            _, dead = await self._ready()
            now = self._clock.now()
            letter = self._outgoing(item.message, item.published_at)
            letter.headers |= {
                "letter": f"{now:020d}-{next(self._letters):08d}-{os.urandom(4).hex()}",
                "reason": encode_explanation(reason),
                "attempts": item.attempts,
                "buried_at": now,
            }
            # Publish first, then acknowledge: a crash in between leaves two copies, never none.
            await dead.publish(letter, self._route(item.message), timeout=_CONFIRM_SECONDS)
            await self._complete(delivery)

    async def dead_letters(self, limit: int, after: str = "") -> list[DeadLetter]:
        async with self._broker(), self._dead_messages() as dead:
            letters = [letter for letter, _ in dead if letter.letter_id > after]
        return letters[:limit]

    async def retry_dead(self, letter_ids: Sequence[str], /) -> int:
        return await self._take_dead(letter_ids, publish=True)

    async def discard_dead(self, letter_ids: Sequence[str], /) -> int:
        return await self._take_dead(letter_ids, publish=False)

    async def forget(self, partition: str, is_done: Callable[[bytes], bool], /) -> int:  # noqa: ARG002 - waiting messages cannot be selected
        async with self._broker(), self._dead_messages() as letters:
            partition_messages = [message for letter, message in letters if letter.message.partition == partition]
            for message in partition_messages:
                await message.ack()
        return len(partition_messages)

    async def depth(self) -> QueueDepth:
        async with self._broker():
            await self._ready()
            channel = _open(self._publishing)
            names = [*self._queue_names(), f"{self._name}.dead"]
            counts = [
                (await channel.declare_queue(name, passive=True)).declaration_result.message_count or 0
                for name in names
            ]
        return QueueDepth(sum(counts[:-1]) + len(self._leases), counts[-1], self._leases.oldest_at())

    async def try_round_trip(self) -> None:
        """Publish a message to a queue that belongs to this connection, and read it back."""
        async with self._broker():
            await self._ready()
            if self._connection is None:
                raise QueueUnavailable("the queue is closed")
            async with await self._connection.channel(publisher_confirms=True, on_return_raises=True) as channel:
                queue = await channel.declare_queue(exclusive=True, auto_delete=True)
                sent = os.urandom(8)
                await channel.default_exchange.publish(aio_pika.Message(sent), queue.name, timeout=_CONFIRM_SECONDS)
                message = await queue.get(no_ack=True, fail=False)
                await queue.delete(if_unused=False, if_empty=False)
        if message is None or message.body != sent:
            raise QueueUnavailable("the broker loses messages")

    async def close(self) -> None:
        """Disconnect. The broker gives unacknowledged messages to another worker at once."""
        connection, self._connection = self._connection, None
        self._forget()
        if connection is not None:
            await connection.close()

    async def delete(self) -> None:
        """Delete the queues and exchanges with all their messages."""
        await self._ready()
        channel = _open(self._publishing)
        for name in (*self._queue_names(), f"{self._name}.dead"):
            await channel.queue_delete(name)
        for name in (self._name, f"{self._name}.dead"):
            await channel.exchange_delete(name)

    @asynccontextmanager
    async def _broker(self) -> AsyncIterator[None]:
        """Translate a lost connection or a full queue into the contract's errors."""
        try:
            yield
        except DeliveryError as failure:
            raise QueueFull(f"the queue already holds {self._max_waiting} messages") from failure
        except _FAULTS as failure:
            raise QueueUnavailable("the broker does not answer") from failure

    async def _ready(self) -> tuple[AbstractExchange, AbstractExchange]:
        """Connect and declare the exchange and the dead-letter exchange."""
        async with self._connecting:
            if not _is_usable(self._connection, self._publishing):
                await self._connect()
        if self._exchange is None or self._dead_exchange is None:
            raise QueueUnavailable("the queue is closed")
        return self._exchange, self._dead_exchange

    async def _connect(self) -> None:
        self._forget()
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()
        # Stored before connecting, because a connection that failed must also be closed.
        self._connection = _Connection(make_url(self._url))
        try:
            await self._connection.connect(_CONNECT_SECONDS)
        except _FAULTS as failure:
            self._note_outage(failure)
            raise QueueUnavailable(connection_sentence(self._url, failure)) from failure
        self._connection.close_callbacks.add(self._disconnected)
        self._publishing = channel = await self._connection.channel(publisher_confirms=True, on_return_raises=True)
        dead_letter_name = f"{self._name}.dead"
        self._exchange = await channel.declare_exchange(self._name, ExchangeType.TOPIC, durable=True)
        self._dead_exchange = await channel.declare_exchange(dead_letter_name, ExchangeType.TOPIC, durable=True)
        dead = await channel.declare_queue(
            dead_letter_name, durable=True, arguments=_dead_queue_arguments(self._connection)
        )
        await dead.bind(self._dead_exchange, "#")
        for bucket, name in enumerate(self._queue_names()):
            queue = await channel.declare_queue(name, durable=True, arguments=self._queue_arguments())
            await queue.bind(self._exchange, f"#.b{bucket}")
        if self._is_unreachable:
            self._is_unreachable = False
            log.info("broker.reconnected", queue=self._name)

    async def _consume(self) -> None:
        """Start consuming messages. A process that only publishes never does this."""
        await self._ready()
        async with self._connecting:
            if _is_usable(self._connection, self._consuming) or self._connection is None:
                return
            self._forget_held()
            self._consuming = channel = await self._connection.channel(publisher_confirms=False)
            channel.close_callbacks.add(self._lost)
            await channel.set_qos(prefetch_count=PREFETCH)
            for name in self._queue_names():
                queue = await channel.get_queue(name, ensure=False)
                await queue.consume(functools.partial(self._arrived, channel))

    async def _arrived(self, channel: AbstractChannel, message: AbstractIncomingMessage) -> None:
        tag = message.delivery_tag
        if tag is None or channel is not self._consuming:
            return  # from a channel that has been lost; the broker delivers it again
        self._incoming[tag] = message
        attempts = message.headers.get("x-delivery-count", 0)
        published_at = Instant(_number(message.headers.get("published_at")))
        self._leases.add(BrokerMessage(tag, _read(message), _number(attempts), published_at))
        self._news.set()

    async def _complete(self, delivery: Delivery) -> None:
        item = self._leases.find(delivery)
        if item is None:
            return
        # Completed in this process first, so that no other caller gets it in between.
        self._leases.complete(delivery)
        self._news.set()
        await self._incoming.pop(item.tag).ack()

    def _disconnected(self, connection: AbstractConnection | None, failure: BaseException | None = None) -> None:
        if connection is self._connection and connection is not None:
            self._note_outage(failure)
        self._lost()

    def _note_outage(self, failure: BaseException | None) -> None:
        """Log an outage once, however often the queue then tries to connect."""
        if not self._is_unreachable:
            self._is_unreachable = True
            log.warning(
                "broker.lost", queue=self._name, cause=f"{type(failure).__name__}: {failure}" if failure else ""
            )

    def _lost(self, *_: object) -> None:
        self._forget_held()
        self._news.set()

    def _forget(self) -> None:
        self._publishing = self._exchange = self._dead_exchange = None
        self._forget_held()

    def _forget_held(self) -> None:
        self._consuming = None
        self._leases.clear()
        self._incoming.clear()

    @asynccontextmanager
    async def _dead_messages(self) -> AsyncIterator[list[tuple[DeadLetter, AbstractIncomingMessage]]]:
        """Yield dead letters in the order of burial. Those not acknowledged inside the block are put back."""
        await self._ready()
        async with self._looking:
            if self._connection is None:
                raise QueueUnavailable("the queue is closed")
            async with await self._connection.channel(publisher_confirms=False) as channel:
                queue = await channel.get_queue(f"{self._name}.dead", ensure=False)
                letters: list[tuple[DeadLetter, AbstractIncomingMessage]] = []
                while len(letters) < MAX_LETTERS and (message := await queue.get(fail=False)) is not None:
                    letters.append((_letter(message), message))
                yield sorted(letters, key=lambda pair: pair[0].letter_id)
                for _, message in letters:
                    if not message.processed:
                        await message.nack(requeue=True)

    async def _take_dead(self, letter_ids: Sequence[str], *, publish: bool) -> int:
        selected_ids, taken_count = set(letter_ids), 0
        async with self._broker(), self._dead_messages() as letters:
            for letter, message in letters:
                if letter.letter_id in selected_ids:
                    if publish:
                        await self.publish([letter.message])
                    await message.ack()
                    taken_count += 1
        return taken_count

    def _outgoing(self, message: Message, published_at: Instant) -> aio_pika.Message:
        return aio_pika.Message(
            message.body,
            headers={"partition": message.partition, "message": message.message_id, "published_at": published_at},
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            expiration=self._keep_seconds,
        )

    def _route(self, message: Message) -> str:
        # Python's hash cannot be used because it differs between processes.
        return f"{message.routing_key}.b{zlib.crc32(message.partition.encode()) % self._buckets}"

    def _queue_names(self) -> list[str]:
        return [f"{self._name}.{bucket}" for bucket in range(self._buckets)]

    def _queue_arguments(self) -> dict[str, Any]:
        return {
            "x-queue-type": "quorum",
            "x-single-active-consumer": True,
            "x-dead-letter-exchange": f"{self._name}.dead",
            "x-dead-letter-strategy": "at-least-once",
            "x-overflow": "reject-publish",
            "x-max-length": max(self._max_waiting // self._buckets, 1),
            "x-delivery-limit": DELIVERY_LIMIT,
        }


async def _all(calls: Any) -> None:
    """Run the awaitables concurrently, wait for all, then raise the first failure, so that no task is left unawaited."""
    for result in await asyncio.gather(*calls, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result


def _dead_queue_arguments(connection: AbstractConnection) -> dict[str, Any]:
    arguments: dict[str, Any] = {"x-queue-type": "quorum"}
    version = _server_version(connection)
    if version >= 4:
        # From version 4.0, a quorum queue drops a message that was returned twenty times, unless configured otherwise.
        arguments["x-delivery-limit"] = -1
    return arguments


def _server_version(connection: AbstractConnection) -> int:
    transport = connection.transport
    properties = getattr(getattr(transport, "connection", None), "server_properties", None) or {}
    version = properties.get("version", b"3")
    text = version.decode() if isinstance(version, bytes) else str(version)
    return int(text.partition(".")[0])


def _is_usable(connection: AbstractConnection | None, channel: AbstractChannel | None) -> bool:
    return connection is not None and channel is not None and not connection.is_closed and not channel.is_closed


def _open(channel: AbstractChannel | None) -> AbstractChannel:
    if channel is None:
        raise QueueUnavailable("the queue is closed")
    return channel


def _read(message: AbstractIncomingMessage) -> Message:
    headers = message.headers
    routing_key = (message.routing_key or "").rpartition(".")[0]
    return Message(routing_key, str(headers.get("partition", "")), message.body, str(headers.get("message", "")))


def _letter(message: AbstractIncomingMessage) -> DeadLetter:
    headers = message.headers
    if "letter" in headers:
        return DeadLetter(
            str(headers["letter"]),
            _read(message),
            read_explanation(str(headers.get("reason", ""))),
            _number(headers.get("attempts")),
            Instant(_number(headers.get("buried_at"))),
        )
    # Dead-lettered by the broker. Reason and time are in x-death, and there is no identifier.
    death_headers = headers.get("x-death")
    first_death: Any = death_headers[0] if isinstance(death_headers, list) and death_headers else {}
    time = first_death.get("time")
    buried_at = from_datetime(time) if isinstance(time, datetime) and time.tzinfo else Instant(0)
    read = _read(message)
    letter_id = f"{buried_at:020d}-{read.message_id}"
    reason = QueueReason.BROKER_GAVE_UP(cause=str(first_death.get("reason", "?")))
    return DeadLetter(letter_id, read, reason, DELIVERY_LIMIT, buried_at)


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def connection_sentence(url: str, failure: Exception) -> str:
    """Return the sentence for operators that says why no connection could be opened, which includes signing in and
    opening the virtual host, and what to do. It names the server and the user, but not the password.
    """
    parts = urlsplit(url)
    server = f"RabbitMQ at {parts.hostname}:{parts.port or 5672}"
    match failure:
        case AuthenticationError() | ProbableAuthenticationError():
            user = unquote(parts.username or "guest")
            return f"{server} refuses the user {user!r}. Check the user name and the password in the broker URL."
        case InvalidFrameError():  # the answer to opening the virtual host is that the connection is closed
            host = unquote(parts.path.removeprefix("/")) or "/"
            return (
                f"{server} does not open the virtual host {host!r}. Check that it exists and that the user may use it."
            )
        case _:
            return f"{server} does not answer. Check that it is running, and the host and the port in the broker URL."
