"""The queue on RabbitMQ."""

import asyncio
import gc
import logging
import os
import secrets
import socket
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from urllib.parse import urlsplit

import aio_pika
import pytest
from aio_pika.abc import AbstractIncomingMessage, ExchangeType
from aio_pika.exceptions import ChannelPreconditionFailed
from structlog.testing import capture_logs
from tests.external_dependencies import needs
from tests.groundwork.queue.conftest import BROKER, because
from tests.simulation.processes import free_port
from tests.system.tour.polling import eventually
from tests.timeouts import TIMEOUT_SECONDS

from groundwork.clock import SECOND, HandClock
from groundwork.queue.contract import DeadLetter, Delivery, Message, QueueReason, QueueUnavailable
from groundwork.queue.rabbitmq import DELIVERY_LIMIT, PREFETCH, RabbitQueue
from programs.balancer import listen_balanced

pytestmark = needs("rabbitmq")

MakeWorker = Callable[[], RabbitQueue]


@pytest.fixture
async def worker(clock: HandClock) -> AsyncIterator[MakeWorker]:
    """Makes workers of one queue, like separate processes."""
    name = f"t_{os.getpid()}_{secrets.token_hex(4)}"
    workers: list[RabbitQueue] = []

    def make() -> RabbitQueue:
        workers.append(RabbitQueue(BROKER, clock, name=name, buckets=2))
        return workers[-1]

    yield make
    last = make()
    await last.delete()
    for each in workers:
        await each.close()


def message(number: int) -> Message:
    return Message("event.create", f"did:plc:{number % 3}", b"%d" % number, f"id-{number}")


@pytest.fixture
def collected_when_asked() -> Iterator[None]:
    """Collect garbage only on request, and keep no logs: pytest keeps log records together with their exceptions."""
    gc.disable()
    logging.disable()
    yield
    logging.disable(logging.NOTSET)
    gc.enable()


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        (
            "amqp://guest:s3cret@127.0.0.1:5672/",
            "RabbitMQ at 127.0.0.1:5672 refuses the user 'guest'. Check the user name and the password in the broker URL.",
        ),
        (
            "amqp://guest:guest@127.0.0.1:5672/no-such-host",
            (
                "RabbitMQ at 127.0.0.1:5672 does not open the virtual host 'no-such-host'. Check that it exists and "
                "that the user may use it."
            ),
        ),
        (
            "amqp://guest:guest@no-such-host.invalid/",
            (
                "RabbitMQ at no-such-host.invalid:5672 does not answer. Check that it is running, and the host and "
                "the port in the broker URL."
            ),
        ),
    ],
)
async def test_refused_connection_says_what_to_change(clock: HandClock, url: str, sentence: str):
    queue = RabbitQueue(url, clock, name="t_refused")
    with pytest.raises(QueueUnavailable) as refused:
        await queue.depth()
    assert str(refused.value) == sentence
    await queue.close()


@pytest.mark.usefixtures("collected_when_asked")
@pytest.mark.parametrize("is_closed", [True, False])
async def test_a_broker_that_was_never_reached_leaves_nothing_behind(clock: HandClock, *, is_closed: bool):
    """The garbage collector, which may run in a thread without an event loop, does not try to close connections, even
    if the queue's ``close`` was cancelled.
    """
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        queue = RabbitQueue(f"amqp://guest:guest@127.0.0.1:{nobody.getsockname()[1]}/", clock, name="t_nowhere")
        for _ in range(2):
            with pytest.raises(QueueUnavailable) as refused:
                await queue.publish([message(1)])
            refused.value.itself = refused  # type: ignore[attr-defined]  # only the collector finds it, and what its frames knew
    if is_closed:
        await queue.close()
    del queue, refused
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        await asyncio.to_thread(gc.collect)
    assert [str(one.message) for one in heard if "never awaited" in str(one.message)] == []


async def take(queue: RabbitQueue, count: int) -> list[Delivery]:
    taken: list[Delivery] = []
    async with asyncio.timeout(TIMEOUT_SECONDS):
        while len(taken) < count:
            taken += await queue.lease(count - len(taken), 30)
            if len(taken) < count:
                await queue.wait(0.05)
    return taken


async def everything(queue: RabbitQueue, count: int) -> dict[str, list[int]]:
    seen: dict[str, list[int]] = {}
    for _ in range(count):
        (delivery,) = await take(queue, 1)
        seen.setdefault(delivery.message.partition, []).append(int(delivery.message.body))
        await queue.ack([delivery])
    return seen


async def test_messages_of_a_lost_worker_are_redelivered_in_order(worker):
    """When a worker disconnects, another one first gets its unacknowledged messages, in order."""
    first, second = worker(), worker()
    await first.publish([message(n) for n in range(30)])
    await first.ack(await take(first, 3))
    await take(first, 3)
    assert await second.lease(10, 30) == []
    await first.close()
    assert await everything(second, 27) == {f"did:plc:{p}": list(range(3 + p, 30, 3)) for p in range(3)}


async def test_lost_connection_is_restored(worker):
    """A lost connection is restored. Earlier receipts have no effect, and no message is lost or skipped."""
    queue = worker()
    await queue.publish([message(n) for n in range(9)])
    old = await take(queue, 3)
    await queue._connection.close()
    await queue.publish([message(n) for n in range(9, 12)])
    await queue.ack(old)
    assert await everything(queue, 12) == {f"did:plc:{p}": list(range(p, 12, 3)) for p in range(3)}


async def test_a_redelivered_message_counts_as_attempted(worker):
    first, second = worker(), worker()
    await first.publish([message(1)])
    await take(first, 1)
    await first.close()
    (delivery,) = await take(second, 1)
    assert delivery.attempts == 1


async def test_rejected_message_is_a_dead_letter_with_a_reason(worker):
    """A message that a foreign consumer rejects becomes a dead letter with a reason, is listed and can be retried."""
    queue = worker()
    await queue.publish([message(1)])
    connection = await aio_pika.connect(BROKER)
    channel = await connection.channel()

    async def reject(received: AbstractIncomingMessage) -> None:
        await received.reject(requeue=False)

    for name in queue._queue_names():
        consumed = await channel.get_queue(name)
        await consumed.consume(reject)
    letters: list[DeadLetter] = []
    async with asyncio.timeout(TIMEOUT_SECONDS):
        while not letters:
            letters = await queue.dead_letters(10)
    await connection.close()
    assert (letters[0].message, letters[0].reason) == (message(1), QueueReason.BROKER_GAVE_UP(cause="rejected"))
    assert await queue.retry_dead([letters[0].letter_id]) == 1
    assert (await take(queue, 1))[0].message == message(1)


async def test_others_may_bind_to_the_topics(worker):
    queue = worker()
    await queue.depth()
    connection = await aio_pika.connect(BROKER)
    channel = await connection.channel()
    own = await channel.declare_queue(exclusive=True)
    await own.bind(queue._name, "event.#")
    await queue.publish(
        [Message("rsvp.create", "did:plc:x", b"no", "1"), Message("event.delete", "did:plc:y", b"yes", "2")]
    )
    async with asyncio.timeout(TIMEOUT_SECONDS), own.iterator() as received:
        assert (await anext(received)).body == b"yes"
    await connection.close()


async def test_a_broker_that_is_away_is_unavailable(clock: HandClock):
    queue = RabbitQueue("amqp://guest:guest@127.0.0.1:1/", clock)
    with pytest.raises(QueueUnavailable):
        await queue.publish([message(1)])
    with pytest.raises(QueueUnavailable):
        await queue.lease(1, 30)
    with pytest.raises(QueueUnavailable):
        await queue.depth()
    await queue.close()


async def test_an_outage_takes_one_log_line_when_it_begins_and_one_when_it_ends(
    worker, clock: HandClock, caplog: pytest.LogCaptureFixture
):
    """However often the queue tries to connect in between. The library’s line for each attempt is left out."""
    server, port = urlsplit(BROKER), free_port()
    behind = server._replace(netloc=f"{server.username}:{server.password}@127.0.0.1:{port}").geturl()
    queue = RabbitQueue(behind, clock, name=worker()._name, buckets=2)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(queue.close)
        line = await stack.enter_async_context(AsyncExitStack())
        await line.enter_async_context(listen_balanced("127.0.0.1", port, [server.port or 5672]))
        await queue.publish([message(1)])
        with capture_logs() as lines:
            await line.aclose()
            for _ in range(3):
                with pytest.raises(QueueUnavailable):
                    await queue.publish([message(2)])
            await line.enter_async_context(listen_balanced("127.0.0.1", port, [server.port or 5672]))
            await queue.publish([message(2)])
    assert [one["event"] for one in lines] == ["broker.lost", "broker.reconnected"]
    assert lines[0]["cause"]
    assert [one.getMessage() for one in caplog.records if one.levelno >= logging.WARNING] == []


async def test_queues_have_the_documented_properties(worker):
    """The queues have the documented properties: a broker refuses to redeclare a queue or exchange differently, so the
    test tries the opposite of each.
    """
    queue = worker()
    await queue.depth()
    name = queue._queue_names()[0]
    otherwise: dict[str, dict[str, object]] = {
        name: {
            "x-queue-type": "classic",
            "x-single-active-consumer": False,
            "x-dead-letter-exchange": "another",
            "x-dead-letter-strategy": "at-most-once",
            "x-overflow": "drop-head",
            "x-max-length": 7,
            "x-delivery-limit": 7,
        },
        f"{queue._name}.dead": {"x-queue-type": "classic"},
    }
    dead = {"x-queue-type": "quorum"}
    connection = await aio_pika.connect(BROKER)
    try:
        for each, properties in otherwise.items():
            known = queue._queue_arguments() if each == name else dead
            for argument, value in properties.items():
                with pytest.raises(ChannelPreconditionFailed, match=argument):
                    async with await connection.channel() as channel:
                        await channel.declare_queue(each, durable=True, arguments={**known, argument: value})
        for exchange in (queue._name, f"{queue._name}.dead"):
            with pytest.raises(ChannelPreconditionFailed, match="type"):
                async with await connection.channel() as channel:
                    await channel.declare_exchange(exchange, ExchangeType.DIRECT, durable=True)
    finally:
        await connection.close()


async def test_unacknowledged_messages_per_worker_are_limited(worker):
    """A worker is given at most ``PREFETCH`` unacknowledged messages of a queue; the broker keeps the rest for others."""
    first, second = worker(), worker()
    more = 20
    await first.publish([Message("event.create", "did:plc:a", b"%d" % n, str(n)) for n in range(PREFETCH + more)])
    await take(first, 1)
    # Another process sees the messages in the broker that no worker has received.
    async with asyncio.timeout(TIMEOUT_SECONDS):
        while True:
            waiting = (await second.depth()).waiting
            if (waiting, len(first._leases)) == (more, PREFETCH):
                break
            assert waiting >= more, "the worker received more messages"
            await asyncio.sleep(0.01)


async def test_message_delivered_too_often_is_a_dead_letter_with_a_reason(worker):
    """The broker turns a message that was delivered too often into a dead letter with a reason; in this test each
    worker that takes it dies.
    """
    queue = worker()
    await queue.publish([message(1)])
    connection = await aio_pika.connect(BROKER)
    channel = await connection.channel()
    given_back = 0

    async def give_back(received: AbstractIncomingMessage) -> None:
        nonlocal given_back
        given_back += 1
        await received.nack(requeue=True)

    for name in queue._queue_names():
        consumed = await channel.get_queue(name)
        await consumed.consume(give_back)
    letters: list[DeadLetter] = []
    async with asyncio.timeout(TIMEOUT_SECONDS):
        while not letters:
            letters = await queue.dead_letters(10)
            await asyncio.sleep(0.01)
    await connection.close()
    assert given_back >= DELIVERY_LIMIT
    assert (letters[0].message, letters[0].reason) == (message(1), QueueReason.BROKER_GAVE_UP(cause="delivery_limit"))


async def test_publishing_waits_for_the_confirmation(worker):
    """Publishing ends when the broker has confirmed, so a message survives if the publisher dies right afterwards."""
    first, second = worker(), worker()
    await first.publish([message(n) for n in range(50)])
    await first._connection.close()
    assert sum(len(numbers) for numbers in (await everything(second, 50)).values()) == 50


async def test_message_waiting_for_a_retry_survives_its_worker(worker, clock: HandClock):
    """A message that waits for a retry survives its worker and is given to another. The worker stores the delay, the
    broker the message.
    """
    first, second = worker(), worker()
    await first.publish([message(1)])
    (held,) = await take(first, 1)
    await first.retry(held, 60, "The database was away.")
    assert await first.lease(1, 30) == []
    clock.turn(59 * SECOND)
    assert await first.lease(1, 30) == []
    clock.turn(SECOND)
    (again,) = await take(first, 1)
    assert (again.message, again.attempts) == (message(1), 1)
    await first.retry(again, 60, "The database was away.")
    await first.close()
    (inherited,) = await take(second, 1)
    assert inherited.message == message(1)


async def test_untaken_messages_expire(clock: HandClock):
    """Messages without a consumer expire without any of our programs: waiting ones become dead letters, and dead
    letters are deleted.
    """
    name = f"t_{os.getpid()}_{secrets.token_hex(4)}"
    queue = RabbitQueue(BROKER, clock, name=name, buckets=2, keep_seconds=0.05)
    try:
        await queue.publish([message(n) for n in range(3)])

        async def has_dead(count: int) -> bool:
            return (await queue.depth()).dead == count

        await eventually(lambda: has_dead(3))
        assert (await queue.depth()).waiting == 0
        assert {str(letter.reason) for letter in await queue.dead_letters(9)} == {"queue.broker_gave_up cause=expired"}
        await queue.discard_dead([letter.letter_id for letter in await queue.dead_letters(9)])
        slow = RabbitQueue(BROKER, clock, name=name, buckets=2, keep_seconds=60.0)
        await slow.publish([message(7)])
        (delivery,) = await take(slow, 1)
        await slow.close()
        (delivery,) = await take(queue, 1)
        await queue.bury(delivery, because("wrong"))
        await eventually(lambda: has_dead(0))
    finally:
        await queue.delete()
        await queue.close()
