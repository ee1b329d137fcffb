"""Limits, their counters, and the result of an attempt.

A window opens with the first attempt of a key and ends after its length (the reference PDS counts like this).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from groundwork.clock import SECOND, Instant
from groundwork.errors import TooMany


@dataclass(frozen=True, slots=True)
class Limit:
    """A rate limit: ``points`` per window. ``name`` separates the counters of different limits and is a metric label."""

    name: str
    points: int
    window_seconds: int


@dataclass(frozen=True, slots=True)
class LimitState:
    """The state of one key in one limit after an attempt."""

    limit: Limit
    remaining: int
    resets_at: Instant
    is_refused: bool


class Counters(Protocol):
    """Counts points. Several processes can share the counters."""

    async def add(self, limit: Limit, key: str, points: int, now: Instant) -> LimitState:
        """Count ``points`` for the key. A rejected attempt uses up no points. Negative points refund an attempt."""
        ...

    async def add_each(self, charges: Sequence[tuple[Limit, str]], points: int, now: Instant) -> list[LimitState]:
        """Call ``add`` for several limits at once, in order."""
        ...

    async def close(self) -> None:
        """Close the connection to the counters' store."""
        ...


async def spend(
    counters: Counters, charges: Sequence[tuple[Limit, str]], *, now: Instant, points: int = 1
) -> LimitState:
    """Count one attempt against every limit that applies. Returns the tightest state, for ``headers_of``.

    Raises ``TooMany`` if any limit is used up. ``after_seconds`` is when the last of the exceeded limits resets.
    """
    states = await counters.add_each(charges, points, now)
    refused = [state for state in states if state.is_refused]
    if refused:
        last = max(refused, key=lambda state: state.resets_at)
        raise RateLimited(last, (last.resets_at - now) / SECOND)
    return min(states, key=lambda state: (state.remaining, -state.resets_at))


class RateLimited(TooMany):
    """A limit is used up. The response has rate limit headers like any other."""

    def __init__(self, state: LimitState, after_seconds: float) -> None:
        limit = state.limit
        allowed, wait = _duration_label(limit.window_seconds), _duration_label(math.ceil(after_seconds))
        why = f"Too many requests: at most {limit.points:,} in {allowed}. Try again in {wait}."
        super().__init__(why, after_seconds=after_seconds, headers=headers_of(state))
        self.state = state


def _duration_label(seconds: int) -> str:
    """Format a duration in the largest unit of which there are at least two. The number is rounded up, so that a client
    does not retry too early.
    """
    for words, length in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{-(-seconds // length)} {words}"
    return "a second" if seconds <= 1 else f"{seconds} seconds"


def headers_of(state: LimitState) -> dict[str, str]:
    """Return the ``RateLimit-*`` headers of the reference PDS for responses of a limited route. The reset is in epoch
    seconds.
    """
    return {
        "RateLimit-Limit": str(state.limit.points),
        "RateLimit-Remaining": str(state.remaining),
        "RateLimit-Reset": str(-(-state.resets_at // SECOND)),
        "RateLimit-Policy": f"{state.limit.points};w={state.limit.window_seconds}",
    }
