"""Delays between attempts: exponential back-off with jitter, never less than the other server asked for."""

from dataclasses import dataclass

from groundwork.errors import Failure, TooMany, Unavailable, kind_of


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """First wait, longest wait, and after how many unexpected failures an operator has to look at it."""

    first_seconds: float = 5.0
    longest_seconds: float = 3600.0
    unforeseen_tries: int = 5


DEFAULT_RETRY = RetryPolicy()


def wait_seconds(
    attempts: int, jitter: float, *, policy: RetryPolicy = DEFAULT_RETRY, least_seconds: float | None = None
) -> float:
    """Return the seconds to wait after the ``attempts``-th failure (1 for the first).

    ``jitter`` is a random number in [0, 1). It reduces the wait by up to half, so that jobs that failed together are
    not retried together. ``least_seconds`` (``Retry-After``) is a lower bound and is not limited by the longest wait.
    """
    # 2 ** 40 is far above any longest wait. The limit keeps the float finite for rows that failed for years.
    full = min(policy.longest_seconds, policy.first_seconds * 2.0 ** min(attempts - 1, 40))
    wait = full * (1.0 - jitter / 2.0)
    return max(wait, least_seconds) if least_seconds is not None else wait


def retry_after_seconds(failure: Failure) -> float | None:
    """Return how long the other server asked us to wait, or how long it must not be called, if known."""
    return failure.after_seconds if isinstance(failure, TooMany | Unavailable) else None


def is_worth_retrying(failure: Failure) -> bool:
    """Whether the same request might succeed later (the table of ``groundwork.errors``)."""
    return kind_of(failure).worth_retrying
