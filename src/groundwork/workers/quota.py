"""CPU quota per person and address. Jobs use it up, and it refills over time."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from groundwork.errors import TooMany

# An entry takes about 200 bytes. An evicted holder has the whole quota again.
_MAX_KEYS: Final = 50_000
WINDOW_SECONDS: Final = 600.0


@dataclass(frozen=True, slots=True)
class QuotaHolder:
    """The person or address whose quota a job is charged to.

    ``weight`` is a multiple of one person's quota, because an address can stand for many people.
    """

    key: str
    weight: int = 1


def person(user_id: str) -> QuotaHolder:
    """Return the quota holder for a person, whatever their address."""
    return QuotaHolder(f"person:{user_id}")


class Quota:
    """Quotas of ``cpu_seconds`` per ``WINDOW_SECONDS``.

    The cost of a job is known only at its end, so a job can overdraw the quota; the next one waits.
    """

    def __init__(self, cpu_seconds: float) -> None:
        self._allowance = cpu_seconds
        # Maps key to (seconds used and not refilled yet, time of that value).
        self._used: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def check(self, holders: Sequence[QuotaHolder], now: float) -> None:
        """Raise TooMany if one of these holders has used up its quota. ``now`` and all other times are from one
        monotonic clock.
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
        """Charge the processor time of a finished job to its holders."""
        for holder in holders:
            self._used[holder.key] = (self._left_over(holder, now) + cpu_seconds, now)
            self._used.move_to_end(holder.key)
        while len(self._used) > _MAX_KEYS:
            self._used.popitem(last=False)

    def _left_over(self, holder: QuotaHolder, now: float) -> float:
        used, at = self._used.get(holder.key, (0.0, now))
        return max(0.0, used - (now - at) * self._allowance * holder.weight / WINDOW_SECONDS)

    def _wait(self, holder: QuotaHolder, now: float) -> float:
        """Return the seconds until a tenth of the quota is available, or 0 if the quota is not used up."""
        allowance = self._allowance * holder.weight
        over = self._left_over(holder, now) - allowance
        return 0.0 if over < 0 else (over + allowance / 10) * WINDOW_SECONDS / allowance
