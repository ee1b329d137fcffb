"""CPU quota per person and address: jobs use it up, and it refills with time."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from groundwork.errors import TooMany

# An entry takes some 200 bytes; an evicted holder has the whole quota again.
_MOST_KEYS: Final = 50_000
WINDOW_SECONDS: Final = 600.0


@dataclass(frozen=True, slots=True)
class QuotaHolder:
    """Whose quota a job is charged to. ``weight``: multiple of one person's quota (an address may stand for many
    people).
    """

    key: str
    weight: int = 1


def person(user_id: str) -> QuotaHolder:
    """A person, from any address."""
    return QuotaHolder(f"person:{user_id}")


class Quota:
    """Quotas of ``cpu_seconds`` per ``WINDOW_SECONDS``. A job's cost is known only at its end: one may overdraw, the
    next waits.
    """

    def __init__(self, cpu_seconds: float) -> None:
        self._allowance = cpu_seconds
        # key: (seconds used and not refilled yet, time of that value)
        self._used: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def check(self, holders: Sequence[QuotaHolder], now: float) -> None:
        """Raise TooMany if one of these holders has used up its quota. ``now`` and all times are of one monotonic
        clock.
        """
        wait = max((self._wait(holder, now) for holder in holders), default=0.0)
        if wait > 0:
            minutes = max(1, round(wait / 60))
            raise TooMany(
                f"You have sent a lot that takes long to read. Try again in {minutes} minute{'s' if minutes > 1 else ''}.",
                after_seconds=wait,
                name="ReadingAllowanceUsedUp",
            )

    def charge(self, holders: Sequence[QuotaHolder], cpu_seconds: float, now: float) -> None:
        """Add the processor time of a finished job to what its holders have used."""
        for holder in holders:
            self._used[holder.key] = (self._left_over(holder, now) + cpu_seconds, now)
            self._used.move_to_end(holder.key)
        while len(self._used) > _MOST_KEYS:
            self._used.popitem(last=False)

    def _left_over(self, holder: QuotaHolder, now: float) -> float:
        used, at = self._used.get(holder.key, (0.0, now))
        return max(0.0, used - (now - at) * self._allowance * holder.weight / WINDOW_SECONDS)

    def _wait(self, holder: QuotaHolder, now: float) -> float:
        """Seconds until a tenth of the quota is available; 0 where it is not used up."""
        allowance = self._allowance * holder.weight
        over = self._left_over(holder, now) - allowance
        return 0.0 if over < 0 else (over + allowance / 10) * WINDOW_SECONDS / allowance
