"""Contract of a message queue, for both drivers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from groundwork.clock import Instant
from groundwork.errors import Explanation, Reason, Unavailable

# A longer delay would block a partition, and a broker closes a channel whose message stays unacknowledged for too long.
MAX_RETRY_SECONDS = 900.0


@dataclass(frozen=True, slots=True)
class Message:
    """A message. ``routing_key`` is its topic (``event.create``), and ``partition`` is the DID whose messages stay in
    order.
    """

    routing_key: str
    partition: str
    body: bytes
    message_id: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message leased to one worker. ``attempts`` counts earlier retries.

    ``receipt`` belongs to the driver. It has no effect after the lease has expired and the message was leased again.
    """

    message: Message
    attempts: int
    receipt: tuple[int, int]


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that failed permanently, with the reason and the time. ``letter_id`` identifies it until it is retried
    or discarded.
    """

    letter_id: str
    message: Message
    reason: Explanation | None
    attempts: int
    buried_at: Instant


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """How full a queue is.

    ``waiting`` counts published messages that are not acknowledged, including leased ones. ``oldest_at`` is when the
    oldest was published, if known.
    """

    waiting: int
    dead: int
    oldest_at: Instant | None


class QueueReason(Reason):
    """Why a message became a dead letter, if no worker decided it."""

    BROKER_GAVE_UP = "queue.broker_gave_up"


class QueueFull(Unavailable):
    """The queue is at its limit. No message of the call was published, unless the driver's documentation states
    otherwise.
    """


class QueueUnavailable(Unavailable):
    """The broker does not answer. It is unknown whether the last call had an effect, so repeat it."""

    is_outage = True


class Queue(Protocol):
    """One queue. Many tasks of one event loop can use it safely."""

    async def publish(self, messages: Sequence[Message], /) -> None:
        """Add messages in this order. They are durable when this returns. Raises QueueFull, QueueUnavailable."""
        ...

    async def lease(self, limit: int, lease_seconds: float) -> list[Delivery]:
        """Lease up to ``limit`` messages, at most one per partition, whose predecessors are done.

        A message that is not acknowledged, retried or buried within ``lease_seconds`` is delivered again. Does not
        wait.
        """
        ...

    async def wait(self, timeout_seconds: float) -> None:
        """Return when a message might be available, or after ``timeout_seconds``."""
        ...

    async def ack(self, deliveries: Sequence[Delivery], /) -> None:
        """Acknowledge messages that were applied. The next messages of their partitions can then be delivered."""
        ...

    async def retry(self, delivery: Delivery, after_seconds: float, reason: Explanation) -> None:
        """Deliver a message again after at least ``after_seconds`` (at most ``MAX_RETRY_SECONDS``). Its partition
        waits.
        """
        ...

    async def bury(self, delivery: Delivery, reason: Explanation) -> None:
        """Turn a message into a dead letter with the reason. Its partition continues."""
        ...

    async def dead_letters(self, limit: int, after: str = "") -> list[DeadLetter]:
        """Return dead letters in the order of burial, after the one with the id ``after``."""
        ...

    async def retry_dead(self, letter_ids: Sequence[str], /) -> int:
        """Publish dead letters again, at the end of their partitions. Returns how many there were."""
        ...

    async def discard_dead(self, letter_ids: Sequence[str], /) -> int:
        """Delete dead letters. Returns how many there were."""
        ...

    async def forget(self, partition: str, is_done: Callable[[bytes], bool], /) -> int:
        """Delete the dead letters of a partition and its waiting messages whose body ``is_done`` accepts. Returns how
        many.

        A driver that cannot select single waiting messages leaves them; in a broker they expire.
        """
        ...

    async def depth(self) -> QueueDepth:
        """Return how many messages are waiting."""
        ...

    async def try_round_trip(self) -> None:
        """Probe: make the broker store a message that nobody receives. Raises QueueUnavailable and storage errors."""
        ...

    async def close(self) -> None:
        """Disconnect from the queue. Leased messages are returned to it."""
        ...
