"""Messages that a broker has delivered to this worker and that are not acknowledged yet, leased to callers by
partition.

A broker such as RabbitMQ pushes many messages. This module keeps their order, leases the first of each partition, and
forgets everything when the connection is lost, because the broker then delivers the messages again. Pure: callers pass
in the time.
"""

import heapq
import itertools
from collections import deque
from dataclasses import dataclass, field

from groundwork.clock import Instant
from groundwork.queue.contract import Delivery, Message


@dataclass(slots=True, eq=False)
class BrokerMessage:
    """A message as delivered by the broker. ``tag`` is the broker's delivery tag."""

    tag: int
    message: Message
    attempts: int
    published_at: Instant


@dataclass(slots=True, eq=False)
class _PartitionQueue:
    """The messages of one partition. ``stamp`` numbers the lease of the first one."""

    items: deque[BrokerMessage] = field(default_factory=deque)
    stamp: int = 0


class LeaseBook:
    """Leases of this worker. Lease numbers are never reused, even after a reconnect, so an old receipt finds nothing."""

    def __init__(self) -> None:
        self._lines: dict[str, _PartitionQueue] = {}
        self._given: dict[tuple[int, int], _PartitionQueue] = {}
        # A heap of (available at, order, partition's messages, stamp at that time). An entry with an old stamp is void.
        self._available: list[tuple[int, int, _PartitionQueue, int]] = []
        self._stamps = itertools.count(1)
        self._order = itertools.count()
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def add(self, item: BrokerMessage) -> None:
        """Append a delivered message to its partition, where it waits to be leased."""
        line = self._lines.setdefault(item.message.partition, _PartitionQueue())
        line.items.append(item)
        self._size += 1
        if len(line.items) == 1:
            self._offer(line, Instant(0))

    def take(self, limit: int, now: Instant, until: Instant) -> list[Delivery]:
        """Lease up to ``limit`` available messages, one per partition, until the instant ``until``."""
        deliveries: list[Delivery] = []
        while len(deliveries) < limit and self._available and self._available[0][0] <= now:
            _, _, line, stamp = heapq.heappop(self._available)
            if stamp != line.stamp or not line.items:
                continue
            self._given.pop((line.stamp, line.items[0].tag), None)
            # If it is not acknowledged by then, it becomes available again.
            self._offer(line, until)
            item = line.items[0]
            receipt = (line.stamp, item.tag)
            self._given[receipt] = line
            deliveries.append(Delivery(item.message, item.attempts, receipt))
        return deliveries

    def find(self, delivery: Delivery) -> BrokerMessage | None:
        """Return the message if this delivery still holds it."""
        line = self._given.get(delivery.receipt)
        return None if line is None else line.items[0]

    def complete(self, delivery: Delivery) -> None:
        """Remove a message that is done. The next one of its partition becomes available."""
        line = self._given.pop(delivery.receipt, None)
        if line is None:
            return
        line.items.popleft()
        self._size -= 1
        if line.items:
            self._offer(line, Instant(0))
        else:
            line.stamp = 0
            del self._lines[delivery.message.partition]

    def postpone(self, delivery: Delivery, until: Instant) -> None:
        """Make a message available again at the instant ``until``, counted as one more attempt."""
        line = self._given.pop(delivery.receipt, None)
        if line is None:
            return
        line.items[0].attempts += 1
        self._offer(line, until)

    def oldest_at(self) -> Instant | None:
        """Return when the oldest held message was published."""
        return min((line.items[0].published_at for line in self._lines.values()), default=None)

    def clear(self) -> None:
        """Forget everything because the connection is lost. The broker delivers the messages again."""
        self._lines.clear()
        self._given.clear()
        self._available.clear()
        self._size = 0

    def _offer(self, line: _PartitionQueue, at: Instant) -> None:
        line.stamp = next(self._stamps)
        heapq.heappush(self._available, (at, next(self._order), line, line.stamp))
