"""How long to wait before trying again: exponential back-off with jitter, never less than the other side asked for."""

from dataclasses import dataclass

from groundwork.errors import Failure, TooMany, Unavailable, kind_of


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """First wait, longest wait, and how often an unexpected failure is retried before an operator must look."""

    first_seconds: float = 5.0
    longest_seconds: float = 3600.0
    unforeseen_tries: int = 5


DEFAULT = RetryPolicy()


def wait_seconds(
    attempts: int, jitter: float, *, policy: RetryPolicy = DEFAULT, asked_seconds: float | None = None
) -> float:
    """Seconds to wait after the ``attempts``-th failure (1 for the first).

    ``jitter`` is a random number in [0, 1): up to half of the wait is taken off, so that what failed together does
    not come back together. ``asked_seconds`` (``Retry-After``) is a lower bound and is not cut by the longest wait.
    """
    # 2 ** 40 is far above any longest wait; the bound keeps the float finite for rows that failed for years.
    full = min(policy.longest_seconds, policy.first_seconds * 2.0 ** min(attempts - 1, 40))
    wait = full * (1.0 - jitter / 2.0)
    return max(wait, asked_seconds) if asked_seconds is not None else wait


def asked_seconds(failure: Failure) -> float | None:
    """What the other side asked us to wait, or how long it is not to be asked, where that is known."""
    return failure.after_seconds if isinstance(failure, TooMany | Unavailable) else None


def is_worth_retrying(failure: Failure) -> bool:
    """Whether the same request may succeed later (the table of ``groundwork.errors``)."""
    return kind_of(failure).worth_retrying
