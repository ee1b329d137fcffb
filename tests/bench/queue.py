"""The embedded queue: durable publishing, leasing and acknowledging, compared with a table with a commit for every
message.
"""

import sqlite3
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

from groundwork.clock import SystemClock
from groundwork.queue.contract import Delivery, Message, Queue
from groundwork.queue.open_ import open_embedded
from tests.bench.figure import Figure, Peer, check
from tests.bench.loop import run
from tests.bench.timing import progress

MESSAGES = 40_000
PARTITIONS = 5_000
PUBLISHED_AT_ONCE = 500
LEASED_AT_ONCE = 500
BODY = bytes(400)
PEER_MESSAGES = 1_000


def measure() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory(prefix="openmeet-bench-") as folder:
        progress(f"{PEER_MESSAGES:,} messages through a plain table, a commit each")
        plain = _plain_table(Path(folder) / "plain.db")
        publishing, taking = run(_measure(Path(folder)))
        note = f"{PARTITIONS:,} partitions, in order within each"
        yield Figure(f"publish, {PUBLISHED_AT_ONCE} at once, durable", publishing, "/s", note=note)
        peer = Peer("plain table, a commit each", plain)
        yield Figure(f"lease and acknowledge, {LEASED_AT_ONCE} at once, durable", taking, "/s", peer=peer)


async def _measure(folder: Path) -> tuple[float, float]:
    queue = await open_embedded(f"sqlite://{folder / 'queue.db'}", "", SystemClock())
    progress(f"publishing {MESSAGES:,} messages")
    begun = perf_counter()
    for first in range(0, MESSAGES, PUBLISHED_AT_ONCE):
        await queue.publish([_message(number) for number in range(first, first + PUBLISHED_AT_ONCE)])
    publishing = perf_counter() - begun
    progress("leasing and acknowledging them")
    begun = perf_counter()
    received = await _take_all(queue)
    taking = perf_counter() - begun
    depth = await queue.depth()
    await queue.close()
    check(depth.waiting == 0, f"{depth.waiting} messages are left over")
    _check_order(received)
    return MESSAGES / publishing, MESSAGES / taking


def _message(number: int) -> Message:
    return Message("event.create", f"did:plc:{number % PARTITIONS:024d}", BODY, f"m{number}")


async def _take_all(queue: Queue) -> list[Delivery]:
    received: list[Delivery] = []
    while deliveries := await queue.lease(LEASED_AT_ONCE, 60):
        received += deliveries
        await queue.ack(deliveries)
    return received


def _check_order(received: list[Delivery]) -> None:
    check(len(received) == MESSAGES, f"{len(received)} of {MESSAGES} messages were delivered")
    last: dict[str, int] = defaultdict(lambda: -1)
    for delivery in received:
        number = int(delivery.message.message_id[1:])
        check(number > last[delivery.message.partition], "a partition was delivered out of order")
        last[delivery.message.partition] = number


def _plain_table(path: Path) -> float:
    """Messages per second of a plain table: take the first one, delete it, commit. No leases, partitions or retries."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("pragma journal_mode = wal")
    connection.execute("pragma synchronous = full")
    connection.execute("create table messages (position integer primary key, body blob)")
    connection.executemany("insert into messages (body) values (?)", [(BODY,)] * PEER_MESSAGES)
    begun = perf_counter()
    for _ in range(PEER_MESSAGES):
        connection.execute(
            "delete from messages where position = (select min(position) from messages) returning body"
        ).fetchall()
    taken = perf_counter() - begun
    connection.close()
    return PEER_MESSAGES / taken
