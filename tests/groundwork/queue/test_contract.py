"""The guarantees of every queue driver."""

import asyncio

import pytest
from tests.groundwork.queue.conftest import because
from tests.timeouts import TIMEOUT_SECONDS

from groundwork.clock import SECOND, HandClock
from groundwork.errors import encode_explanation, read_explanation
from groundwork.queue.contract import Delivery, Message, Queue, QueueFull

LEASE_SECONDS = 30.0


def message(number: int, partition: str = "did:plc:ana", routing_key: str = "event.create") -> Message:
    return Message(routing_key, partition, f"body {number}".encode(), f"id-{number}")


async def take(queue: Queue, count: int, *, at_once: int = 100) -> list[Delivery]:
    """Lease until ``count`` messages have arrived; a broker needs a moment to deliver them."""
    taken: list[Delivery] = []
    async with asyncio.timeout(TIMEOUT_SECONDS):
        while len(taken) < count:
            taken += await queue.lease(min(at_once, count - len(taken)), LEASE_SECONDS)
            if len(taken) < count:
                await queue.wait(0.05)
    return taken


async def nothing_comes(queue: Queue) -> None:
    """Check that nothing can be leased and nothing arrives shortly after."""
    for _ in range(3):
        assert await queue.lease(100, LEASE_SECONDS) == []
        await queue.wait(0.02)


def bodies(deliveries: list[Delivery]) -> list[str]:
    return [delivery.message.body.decode() for delivery in deliveries]


async def test_a_message_arrives_as_it_was_sent(queue: Queue):
    sent = Message("rsvp.delete", "did:web:example.com", b"\x00\xff" * 10, "an id: é")
    await queue.publish([sent])
    (delivery,) = await take(queue, 1)
    assert delivery.message == sent
    assert delivery.attempts == 0
    await queue.ack([delivery])
    await nothing_comes(queue)


async def test_publishing_no_messages_does_nothing(queue: Queue):
    await queue.publish([])
    await queue.ack([])
    await nothing_comes(queue)


async def test_a_partition_is_delivered_in_order_one_at_a_time(queue: Queue):
    await queue.publish([message(1), message(2)])
    await queue.publish([message(3)])
    seen = []
    for _ in range(3):
        (delivery,) = await take(queue, 1)
        await nothing_comes(queue)
        seen += bodies([delivery])
        await queue.ack([delivery])
    assert seen == ["body 1", "body 2", "body 3"]
    await nothing_comes(queue)


async def test_partitions_do_not_wait_for_each_other(queue: Queue):
    await queue.publish([message(n, f"did:plc:{n % 10}") for n in range(30)])
    for round_ in range(3):
        deliveries = await take(queue, 10)
        assert sorted(bodies(deliveries)) == sorted(f"body {n}" for n in range(round_ * 10, round_ * 10 + 10))
        await queue.ack(deliveries)
    await nothing_comes(queue)


async def test_lease_limit_is_respected(queue: Queue):
    await queue.publish([message(n, f"did:plc:{n}") for n in range(5)])
    await take(queue, 5, at_once=1)
    await nothing_comes(queue)


async def test_message_of_an_expired_lease_is_delivered_again(queue: Queue, clock: HandClock):
    await queue.publish([message(1), message(2)])
    (first,) = await take(queue, 1)
    clock.turn(30 * SECOND + 1)
    (again,) = await take(queue, 1)
    assert again.message == first.message
    await queue.ack([again])
    (second,) = await take(queue, 1)
    assert second.message == message(2)


async def test_late_acknowledgement_of_an_expired_lease_is_ignored(queue: Queue, clock: HandClock):
    """A late acknowledgement for an expired lease has no effect; it must not acknowledge a message that another worker
    has leased now.
    """
    await queue.publish([message(1), message(2)])
    (late,) = await take(queue, 1)
    clock.turn(30 * SECOND + 1)
    (holder,) = await take(queue, 1)
    await queue.ack([late])
    await queue.bury(late, because("too late"))
    await queue.retry(late, 0, because("too late"))
    await nothing_comes(queue)
    await queue.ack([holder])
    assert bodies(await take(queue, 1)) == ["body 2"]
    assert await queue.dead_letters(10) == []


async def test_second_acknowledgement_has_no_effect(queue: Queue):
    await queue.publish([message(1), message(2)])
    (delivery,) = await take(queue, 1)
    await queue.ack([delivery])
    await queue.ack([delivery, delivery])
    assert bodies(await take(queue, 1)) == ["body 2"]


async def test_a_retry_comes_back_after_its_delay_and_its_partition_waits(queue: Queue, clock: HandClock):
    await queue.publish([message(1), message(2), message(3, "did:plc:ben")])
    deliveries = {d.message.partition: d for d in await take(queue, 2)}
    await queue.retry(deliveries["did:plc:ana"], 60, because("remote is away"))
    await queue.ack([deliveries["did:plc:ben"]])
    await nothing_comes(queue)
    clock.turn(59 * SECOND)
    await nothing_comes(queue)
    clock.turn(1 * SECOND)
    (again,) = await take(queue, 1)
    assert (again.message, again.attempts) == (message(1), 1)
    await queue.retry(again, 0, because("once more"))
    (third,) = await take(queue, 1)
    assert third.attempts == 2
    await queue.ack([third])
    assert bodies(await take(queue, 1)) == ["body 2"]


async def test_dead_letter_keeps_its_reason_and_its_partition_continues(queue: Queue, clock: HandClock):
    await queue.publish([message(1), message(2)])
    (delivery,) = await take(queue, 1)
    await queue.bury(delivery, because("no such thing: é"))
    (letter,) = await queue.dead_letters(10)
    assert (letter.message, letter.reason, letter.attempts, letter.buried_at) == (
        message(1),
        because("no such thing: é"),
        0,
        clock.now(),
    )
    assert bodies(await take(queue, 1)) == ["body 2"]


def test_a_sentence_in_place_of_a_reason_is_quoted():
    """A worker of an earlier release, or another program at the broker, can have stored any text."""
    for text in ("It failed.", "5", "[]", '"x"', '{"code":"queue.full"}', '{"code":"queue.full","params":[]}'):
        assert read_explanation(text) == because(text)
    assert read_explanation(encode_explanation(because("no"))) == because("no")
    assert read_explanation("") is None


async def bury(queue: Queue, count: int) -> None:
    await queue.publish([message(n, f"did:plc:{n}") for n in range(count)])
    for delivery in sorted(await take(queue, count), key=lambda d: d.message.body):
        await queue.bury(delivery, because(delivery.message.message_id))


async def test_dead_letters_are_listed_in_pages(queue: Queue):
    await bury(queue, 5)
    first = await queue.dead_letters(3)
    second = await queue.dead_letters(3, after=first[-1].letter_id)
    assert [letter.message.body for letter in first + second] == [f"body {n}".encode() for n in range(5)]
    assert await queue.dead_letters(3, after=second[-1].letter_id) == []
    # Listing removes nothing.
    assert await queue.dead_letters(3) == first


async def test_a_dead_letter_is_retried(queue: Queue):
    await bury(queue, 3)
    letters = await queue.dead_letters(10)
    assert await queue.retry_dead([letters[1].letter_id, "999999999", "not a name"]) == 1
    (delivery,) = await take(queue, 1)
    assert (delivery.message, delivery.attempts) == (letters[1].message, 0)
    assert [letter.letter_id for letter in await queue.dead_letters(10)] == [letters[0].letter_id, letters[2].letter_id]


async def test_a_dead_letter_is_discarded(queue: Queue):
    await bury(queue, 3)
    letters = await queue.dead_letters(10)
    assert await queue.discard_dead([letters[0].letter_id, letters[2].letter_id]) == 2
    assert await queue.discard_dead([letters[0].letter_id]) == 0
    assert await queue.dead_letters(10) == [letters[1]]
    await nothing_comes(queue)


async def test_dead_letters_of_a_partition_are_deleted(queue: Queue):
    """Deleting the dead letters of one partition keeps all others."""
    await bury(queue, 3)
    assert await queue.forget("did:plc:1", lambda _body: True) == 1
    assert [letter.message.partition for letter in await queue.dead_letters(10)] == ["did:plc:0", "did:plc:2"]
    assert await queue.forget("did:plc:1", lambda _body: True) == 0


async def test_depth_counts_waiting_messages(queue: Queue, clock: HandClock):
    empty = await queue.depth()
    assert (empty.waiting, empty.dead, empty.oldest_at) == (0, 0, None)
    began = clock.now()
    await queue.publish([message(1, "did:plc:a"), message(2, "did:plc:b")])
    clock.turn(10 * SECOND)
    await queue.publish([message(3, "did:plc:c")])
    deliveries = sorted(await take(queue, 3), key=lambda d: d.message.body)
    full = await queue.depth()
    assert (full.waiting, full.dead, full.oldest_at) == (3, 0, began)
    await queue.ack(deliveries[:2])
    await queue.bury(deliveries[2], because("bad"))
    after = await queue.depth()
    assert (after.waiting, after.dead, after.oldest_at) == (0, 1, None)


async def test_a_full_queue_refuses(small_queue: Queue):
    """A full queue refuses messages. The consumer then stops reading, and continues when there is space."""
    published = 0

    async def fill() -> None:
        nonlocal published
        for number in range(200):
            await small_queue.publish([message(number, f"did:plc:{number}")])
            published += 1

    with pytest.raises(QueueFull):
        await fill()
    assert published >= 10
    deliveries = await take(small_queue, published)
    await small_queue.ack(deliveries)
    await small_queue.publish([message(1000)])
    assert "body 1000" in bodies(await take(small_queue, 1))


async def test_a_message_published_while_its_predecessor_is_acknowledged_is_delivered(queue: Queue):
    """A message published while its predecessor is acknowledged is delivered and does not get stuck."""
    await queue.publish([message(0)])
    for number in range(1, 40):
        (delivery,) = await take(queue, 1)
        acknowledged = queue.ack([delivery]) if number % 2 else queue.bury(delivery, because("bad"))
        await asyncio.gather(acknowledged, queue.publish([message(number)]))
    assert bodies(await take(queue, 1)) == ["body 39"]


async def test_publishing_ends_the_wait(queue: Queue):
    """Publishing notifies a waiting worker; otherwise this test would take a minute."""
    assert await queue.lease(1, LEASE_SECONDS) == []
    waiting = asyncio.create_task(queue.wait(60))
    await asyncio.sleep(0)
    await queue.publish([message(1)])
    async with asyncio.timeout(TIMEOUT_SECONDS):
        await waiting


async def test_two_workers_never_hold_one_partition(queue: Queue):
    """Two workers never hold one partition: with twenty partitions and four workers, each partition's numbers arrive
    once and in order.
    """
    total = 400
    await queue.publish([message(n, f"did:plc:{n % 20}") for n in range(total)])
    seen: dict[str, list[int]] = {}
    held: set[str] = set()
    done = 0

    async def worker() -> None:
        nonlocal done
        while done < total:
            deliveries = await queue.lease(7, LEASE_SECONDS)
            if not deliveries:
                await queue.wait(0.01)
                continue
            partitions = {delivery.message.partition for delivery in deliveries}
            assert len(partitions) == len(deliveries)
            assert not partitions & held
            held.update(partitions)
            for delivery in deliveries:
                number = int(delivery.message.body.removeprefix(b"body "))
                seen.setdefault(delivery.message.partition, []).append(number)
            await asyncio.sleep(0)
            held.difference_update(partitions)
            done += len(deliveries)
            await queue.ack(deliveries)

    async with asyncio.timeout(TIMEOUT_SECONDS):
        await asyncio.gather(*(worker() for _ in range(4)))
    assert seen == {f"did:plc:{p}": list(range(p, total, 20)) for p in range(20)}
    assert (await queue.depth()).waiting == 0


async def test_a_round_trip_leaves_nothing_behind(queue: Queue):
    """A round trip leaves nothing behind: the probe of every few seconds is neither received by a worker nor counted as
    waiting.
    """
    before = await queue.depth()
    for _ in range(3):
        await queue.try_round_trip()
    assert await queue.depth() == before
    await nothing_comes(queue)
