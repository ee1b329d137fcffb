"""What a queue promises, whichever driver runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from groundwork.clock import Instant
from groundwork.errors import Unavailable

# Longer delays block a partition, and a broker's patience with an unacknowledged message, for no good reason.
MAX_RETRY_SECONDS = 900.0


@dataclass(frozen=True, slots=True)
class Message:
    """``routing_key`` says what it is about (``event.create``), ``partition`` whose it is (a DID)."""

    routing_key: str
    partition: str
    body: bytes
    message_id: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message in the hands of one worker until its lease ends. ``attempts`` counts earlier retries.

    ``receipt`` is the driver's; a receipt whose lease has ended and was given to another is without effect.
    """

    message: Message
    attempts: int
    receipt: tuple[int, int]


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A buried message, why and when. ``letter_id`` names it until it is retried or discarded."""

    letter_id: str
    message: Message
    reason: str
    attempts: int
    buried_at: Instant


@dataclass(frozen=True, slots=True)
class Depth:
    """``waiting``: published and not acknowledged, leased ones included. ``oldest_at``: the oldest of them, if known."""

    waiting: int
    dead: int
    oldest_at: Instant | None


class QueueFull(Unavailable):
    """The queue holds as many messages as it may; nothing of the call was published, unless the driver says more."""


class QueueUnavailable(Unavailable):
    """The broker does not answer; whether the last call had an effect is unknown, so it is to be repeated."""


class Queue(Protocol):
    """One queue. Safe to use from many tasks of one event loop."""

    async def publish(self, messages: Sequence[Message], /) -> None:
        """Add messages, in this order; they are durable when this returns. Raises QueueFull, QueueUnavailable."""
        ...

    async def lease(self, limit: int, lease_seconds: float) -> list[Delivery]:
        """Take up to ``limit`` messages, at most one per partition, whose predecessors have been settled.

        Unless acknowledged, retried or buried within ``lease_seconds`` they are delivered again. Does not wait.
        """
        ...

    async def wait(self, timeout_seconds: float) -> None:
        """Return when something may have become leasable, at the latest after ``timeout_seconds``."""
        ...

    async def ack(self, deliveries: Sequence[Delivery], /) -> None:
        """These have been applied; the next of their partitions may be delivered."""
        ...

    async def retry(self, delivery: Delivery, after_seconds: float, reason: str) -> None:
        """Deliver again after at least ``after_seconds`` (at most ``MAX_RETRY_SECONDS``); its partition waits."""
        ...

    async def bury(self, delivery: Delivery, reason: str) -> None:
        """Give up: keep it as a dead letter with the reason; its partition goes on."""
        ...

    async def dead_letters(self, limit: int, after: str = "") -> list[DeadLetter]:
        """Dead letters in the order of burial, from the one behind ``after``."""
        ...

    async def retry_dead(self, letter_ids: Sequence[str], /) -> int:
        """Publish dead letters again, behind what waits in their partitions; how many there were."""
        ...

    async def discard_dead(self, letter_ids: Sequence[str], /) -> int:
        """Forget dead letters; how many there were."""
        ...

    async def depth(self) -> Depth:
        """How much waits."""
        ...

    async def try_round_trip(self) -> None:
        """Have something kept as messages are, beside them: nobody receives it. Raises QueueUnavailable and what keeps messages."""
        ...

    async def close(self) -> None:
        """Give back what is leased and disconnect."""
        ...
