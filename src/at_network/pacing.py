"""Rate limits of other servers: ``RateLimit-*`` and ``Retry-After`` headers, and the delays that follow from them."""

from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from cachetools import LRUCache

from groundwork.clock import SECOND, Instant, from_datetime

# Longer delays are reduced to this, because otherwise the operator would think that the work has stopped.
MAX_PAUSE_SECONDS = 3600.0
DEFAULT_PAUSE_SECONDS = 60.0
_MAX_ACCOUNTS = 50_000


@dataclass(frozen=True, slots=True)
class RateLimitState:
    """The tightest rate limit of a server as of its last response: ``remaining`` of ``limit`` points until
    ``resets_at``.
    """

    limit: int
    remaining: int
    resets_at: Instant


class WriteBudgets:
    """The latest write budget of each account, shared by all calls of a program.

    Budgets are kept per account because that is how servers count writes.
    """

    def __init__(self) -> None:
        self._known: LRUCache[tuple[str, str], RateLimitState] = LRUCache(_MAX_ACCOUNTS)

    def of(self, service: str, account: str) -> RateLimitState | None:
        return self._known.get((service, account))

    def note(self, service: str, account: str, pace: RateLimitState) -> None:
        self._known[service, account] = pace


def read_pace(headers: Mapping[str, str]) -> RateLimitState | None:
    """Return the rate limit stated in a response, or None if it states none or an unreadable one."""
    limit = _number(headers.get("ratelimit-limit"))
    remaining = _number(headers.get("ratelimit-remaining"))
    reset_seconds = _number(headers.get("ratelimit-reset"))  # epoch seconds, unlike the delta seconds of the IETF draft
    if limit is None or remaining is None or reset_seconds is None:
        return None
    return RateLimitState(limit, remaining, Instant(reset_seconds * SECOND))


def retry_after_seconds(headers: Mapping[str, str], now: Instant) -> float:
    """Return the delay after a 429 or 503: ``Retry-After`` in seconds or as a date, or else the reset time of the rate
    limit.
    """
    text = headers.get("retry-after", "").strip()
    seconds = _number(text)
    if seconds is not None:
        return min(float(seconds), MAX_PAUSE_SECONDS)
    retry_at = _date(text)
    if retry_at is None:
        pace = read_pace(headers)
        retry_at = None if pace is None else pace.resets_at
    if retry_at is None:
        return DEFAULT_PAUSE_SECONDS
    return min(max((retry_at - now) / SECOND, 0.0), MAX_PAUSE_SECONDS)


def pause_seconds(pace: RateLimitState | None, now: Instant, *, cost: int = 1) -> float:
    """Return the delay before a call that costs this many points; 0 while enough points remain."""
    if pace is None or pace.remaining >= cost or pace.resets_at <= now:
        return 0.0
    return min((pace.resets_at - now) / SECOND, MAX_PAUSE_SECONDS)


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) <= 12 else None


def _date(text: str) -> Instant | None:
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return None if date.tzinfo is None else from_datetime(date)
