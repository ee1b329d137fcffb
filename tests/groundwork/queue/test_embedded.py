"""The queue in a database."""

import sys
from pathlib import Path

import pytest

from groundwork.clock import HandClock
from groundwork.queue.contract import Message, QueueFull
from groundwork.queue.open_ import open_embedded, open_queue


async def test_published_messages_survive_a_restart(tmp_path: Path, clock: HandClock):
    """Messages and leases survive a restart: messages leased by a dead process are delivered again only when the lease
    ends.
    """
    url = f"sqlite://{tmp_path}/"
    queue = await open_embedded(url, "queue", clock)
    await queue.publish([Message("event.create", f"did:plc:{n}", b"x", str(n)) for n in range(3)])
    (held,) = await queue.lease(1, 30)
    await queue.close()
    queue = await open_embedded(url, "queue", clock)
    assert [d.message.message_id for d in await queue.lease(10, 30)] == ["1", "2"]
    clock.turn(31_000_000)
    assert held.message.message_id in {d.message.message_id for d in await queue.lease(10, 30)}
    await queue.close()


async def test_a_batch_beyond_the_bound_is_refused_whole(tmp_path: Path, clock: HandClock):
    queue = await open_embedded(f"sqlite://{tmp_path}/", "queue", clock, max_waiting=2)
    with pytest.raises(QueueFull, match="2 messages"):
        await queue.publish([Message("event.create", "did:plc:a", b"x", str(n)) for n in range(3)])
    assert (await queue.depth()).waiting == 0
    await queue.close()


async def test_a_long_backlog_of_one_partition_does_not_slow_the_others(tmp_path: Path, clock: HandClock):
    """Ten thousand messages of one partition do not delay the others."""
    queue = await open_embedded(f"sqlite://{tmp_path}/", "queue", clock)
    await queue.publish([Message("event.create", "did:plc:busy", b"x", str(n)) for n in range(10_000)])
    await queue.publish([Message("event.create", "did:plc:quiet", b"x", "quiet")])
    assert [d.message.message_id for d in await queue.lease(10, 30)] == ["0", "quiet"]
    await queue.close()


async def test_a_queue_is_opened_by_its_url(tmp_path: Path, clock: HandClock):
    where = {"database_url": f"sqlite://{tmp_path}/", "schema": "queue", "clock": clock}
    queue = await open_queue("embedded:", **where)
    assert (await queue.depth()).waiting == 0
    await queue.close()
    remote = await open_queue("amqp://127.0.0.1:1/", **where)
    await remote.close()
    with pytest.raises(ValueError, match="embedded"):
        await open_queue("kafka://x", **where)


async def test_without_its_library_rabbitmq_is_refused_with_what_to_install(
    tmp_path: Path, clock: HandClock, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "aio_pika", None)
    monkeypatch.delitem(sys.modules, "groundwork.queue.rabbitmq", raising=False)
    with pytest.raises(ValueError, match="run make services"):
        await open_queue("amqp://127.0.0.1:1/", database_url=f"sqlite://{tmp_path}/", schema="queue", clock=clock)
