"""What a worker of a broker holds: messages handed over and not yet settled, leased to callers by partition.

A broker such as RabbitMQ pushes many messages; this keeps them in order, gives out the first of each partition, and
forgets everything when the connection is lost, since the broker then delivers it again. Pure: times are arguments.
"""

import heapq
import itertools
from collections import deque
from dataclasses import dataclass, field

from groundwork.clock import Instant
from groundwork.queue.contract import Delivery, Message


@dataclass(slots=True, eq=False)
class Item:
    """A message as the broker handed it over; ``tag`` is what the broker calls it."""

    tag: int
    message: Message
    attempts: int
    published_at: Instant


@dataclass(slots=True, eq=False)
class _Line:
    """The messages of one partition. The first may be given out from ``available_at``; ``stamp`` says under which lease."""

    items: deque[Item] = field(default_factory=deque)
    stamp: int = 0


class LeaseBook:
    """The bookkeeping of one connection after another; lease numbers never repeat, so old receipts find nothing."""

    def __init__(self) -> None:
        self._lines: dict[str, _Line] = {}
        self._given: dict[tuple[int, int], _Line] = {}
        # (available at, order, line, the line's stamp then): an entry whose stamp has passed is void.
        self._available: list[tuple[int, int, _Line, int]] = []
        self._stamps = itertools.count(1)
        self._order = itertools.count()
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def add(self, item: Item) -> None:
        """A message has come; it stands behind those of its partition."""
        line = self._lines.setdefault(item.message.partition, _Line())
        line.items.append(item)
        self._size += 1
        if len(line.items) == 1:
            self._offer(line, Instant(0))

    def take(self, limit: int, now: Instant, until: Instant) -> list[Delivery]:
        """Give out up to ``limit`` messages that are available, one per partition, until an instant."""
        taken: list[Delivery] = []
        while len(taken) < limit and self._available and self._available[0][0] <= now:
            _, _, line, stamp = heapq.heappop(self._available)
            if stamp != line.stamp or not line.items:
                continue
            self._given.pop((line.stamp, line.items[0].tag), None)
            # Not given back by then, it is given out again.
            self._offer(line, until)
            item = line.items[0]
            receipt = (line.stamp, item.tag)
            self._given[receipt] = line
            taken.append(Delivery(item.message, item.attempts, receipt))
        return taken

    def find(self, delivery: Delivery) -> Item | None:
        """The message if this delivery still holds it."""
        line = self._given.get(delivery.receipt)
        return None if line is None else line.items[0]

    def settle(self, delivery: Delivery) -> None:
        """It is done with; the next of its partition is available."""
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
        """Give it out again from an instant, as one more attempt."""
        line = self._given.pop(delivery.receipt, None)
        if line is None:
            return
        line.items[0].attempts += 1
        self._offer(line, until)

    def oldest_at(self) -> Instant | None:
        """When the oldest message that is held was published."""
        return min((line.items[0].published_at for line in self._lines.values()), default=None)

    def clear(self) -> None:
        """The connection is lost: the broker delivers all of it again."""
        self._lines.clear()
        self._given.clear()
        self._available.clear()
        self._size = 0

    def _offer(self, line: _Line, at: Instant) -> None:
        line.stamp = next(self._stamps)
        heapq.heappush(self._available, (at, next(self._order), line, line.stamp))
