"""The only clock. Instants are integer microseconds since 1970 in UTC; tests set the clock by hand."""

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
    """Clock for tests: it moves only when it is turned."""

    def __init__(self, start: Instant) -> None:
        self._now = start

    def now(self) -> Instant:
        return self._now

    def turn(self, microseconds: int) -> None:
        """Move the clock; negative values step back, as real clocks do."""
        self._now = Instant(self._now + microseconds)


def to_datetime(instant: Instant) -> datetime:
    """An aware UTC datetime, exact to the microsecond."""
    return _EPOCH + timedelta(microseconds=instant)


def from_datetime(moment: datetime) -> Instant:
    """The instant of an aware datetime, exact to the microsecond. Naive ones raise ValueError."""
    if moment.tzinfo is None:
        raise ValueError("a datetime without zone is not an instant")
    return Instant((moment - _EPOCH) // timedelta(microseconds=1))
