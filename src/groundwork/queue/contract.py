"""Contract of a message queue, for both drivers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from groundwork.clock import Instant
from groundwork.errors import Unavailable

# A longer delay blocks a partition, and a broker closes a channel whose message stays unacknowledged for too long.
MAX_RETRY_SECONDS = 900.0


@dataclass(frozen=True, slots=True)
class Message:
    """A message. ``routing_key`` says what it is about (``event.create``), ``partition`` is the DID whose messages stay
    in order.
    """

    routing_key: str
    partition: str
    body: bytes
    message_id: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message leased to one worker. ``attempts`` counts earlier retries.

    ``receipt`` belongs to the driver; after the lease has ended and the message was leased again, it has no effect.
    """

    message: Message
    attempts: int
    receipt: tuple[int, int]


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that failed for good, why and when. ``letter_id`` identifies it until it is retried or discarded."""

    letter_id: str
    message: Message
    reason: str
    attempts: int
    buried_at: Instant


@dataclass(frozen=True, slots=True)
class Depth:
    """How full a queue is. ``waiting``: published and not acknowledged, leased ones included. ``oldest_at``: when the
    oldest was published, if known.
    """

    waiting: int
    dead: int
    oldest_at: Instant | None


class QueueFull(Unavailable):
    """The queue is at its limit; nothing of the call was published, unless the driver says otherwise."""


class QueueUnavailable(Unavailable):
    """The broker does not answer; whether the last call had an effect is unknown, so repeat it."""


class Queue(Protocol):
    """One queue. Safe to use from many tasks of one event loop."""

    async def publish(self, messages: Sequence[Message], /) -> None:
        """Add messages, in this order; they are durable when this returns. Raises QueueFull, QueueUnavailable."""
        ...

    async def lease(self, limit: int, lease_seconds: float) -> list[Delivery]:
        """Lease up to ``limit`` messages, at most one per partition, whose predecessors are done.

        A message that is not acknowledged, retried or buried within ``lease_seconds`` is delivered again. Does not
        wait.
        """
        ...

    async def wait(self, timeout_seconds: float) -> None:
        """Return when a message may be available, at the latest after ``timeout_seconds``."""
        ...

    async def ack(self, deliveries: Sequence[Delivery], /) -> None:
        """Acknowledge messages that were applied: the next of their partitions may be delivered."""
        ...

    async def retry(self, delivery: Delivery, after_seconds: float, reason: str) -> None:
        """Deliver again after at least ``after_seconds`` (at most ``MAX_RETRY_SECONDS``); its partition waits."""
        ...

    async def bury(self, delivery: Delivery, reason: str) -> None:
        """Make a message a dead letter with the reason; its partition goes on."""
        ...

    async def dead_letters(self, limit: int, after: str = "") -> list[DeadLetter]:
        """Dead letters in the order of burial, after the one named ``after``."""
        ...

    async def retry_dead(self, letter_ids: Sequence[str], /) -> int:
        """Publish dead letters again, at the end of their partitions; returns how many there were."""
        ...

    async def discard_dead(self, letter_ids: Sequence[str], /) -> int:
        """Delete dead letters; returns how many there were."""
        ...

    async def forget(self, partition: str, is_over: Callable[[bytes], bool], /) -> int:
        """Delete the dead letters of a partition, and its waiting messages whose body ``is_over`` accepts; returns how
        many.

        A driver that cannot single out waiting messages leaves them: in a broker they expire.
        """
        ...

    async def depth(self) -> Depth:
        """How many messages wait."""
        ...

    async def try_round_trip(self) -> None:
        """Probe: have the broker store a message that nobody receives. Raises QueueUnavailable and storage errors."""
        ...

    async def close(self) -> None:
        """Disconnect from the queue; leased messages go back to it."""
        ...
