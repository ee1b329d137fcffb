"""The clock of the program. Instants are integer microseconds since 1970 in UTC; tests set the clock by hand."""

import time
from datetime import UTC, datetime, timedelta
from typing import NewType, Protocol

Instant = NewType("Instant", int)

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Clock(Protocol):
    """Contract of a clock."""

    def now(self) -> Instant: ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> Instant:
        return Instant(time.time_ns() // 1000)


class HandClock:
    """Clock for tests. It moves only when ``turn`` is called."""

    def __init__(self, start: Instant) -> None:
        self._now = start

    def now(self) -> Instant:
        return self._now

    def turn(self, microseconds: int) -> None:
        """Move the clock. Negative values move it back, which real clocks also do."""
        self._now = Instant(self._now + microseconds)


def to_datetime(instant: Instant) -> datetime:
    """Convert an instant to an aware UTC datetime, exact to the microsecond."""
    return _EPOCH + timedelta(microseconds=instant)


def from_datetime(moment: datetime) -> Instant:
    """Convert an aware datetime to an instant, exact to the microsecond. Raises ValueError for a naive datetime."""
    if moment.tzinfo is None:
        raise ValueError("a datetime without a time zone is not an instant")
    return Instant((moment - _EPOCH) // timedelta(microseconds=1))
