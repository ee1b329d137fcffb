"""How much processor time each person and each address may use: an allowance that is used up by jobs and comes back with time."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from groundwork.errors import TooMany

# An entry takes some 200 bytes; whoever is forgotten has their whole allowance again.
_MOST_KEYS: Final = 50_000
WINDOW_SECONDS: Final = 600.0


@dataclass(frozen=True, slots=True)
class QuotaHolder:
    """Whose allowance a job is counted against. ``weight``: how many times that of one person (an address may stand for many)."""

    key: str
    weight: int = 1


def person(user_id: str) -> QuotaHolder:
    """Somebody, wherever they come from."""
    return QuotaHolder(f"person:{user_id}")


class Quota:
    """Allowances of ``cpu_seconds`` per ``WINDOW_SECONDS``. What a job took is known when it is over: one may overdraw, the next waits."""

    def __init__(self, cpu_seconds: float) -> None:
        self._allowance = cpu_seconds
        # key: (seconds used and not come back yet, when that was reckoned)
        self._used: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def check(self, handlers: Sequence[QuotaHolder], now: float) -> None:
        """Raises TooMany where an allowance is used up. ``now`` and all times are of one monotonic clock."""
        wait = max((self._wait(handler, now) for handler in handlers), default=0.0)
        if wait > 0:
            minutes = max(1, round(wait / 60))
            raise TooMany(
                f"You have sent much that takes long to read. Try again in {minutes} minute{'s' if minutes > 1 else ''}.",
                after_seconds=wait,
                name="ReadingAllowanceUsedUp",
            )

    def charge(self, handlers: Sequence[QuotaHolder], cpu_seconds: float, now: float) -> None:
        """Count what a job took."""
        for handler in handlers:
            self._used[handler.key] = (self._left_over(handler, now) + cpu_seconds, now)
            self._used.move_to_end(handler.key)
        while len(self._used) > _MOST_KEYS:
            self._used.popitem(last=False)

    def _left_over(self, handler: QuotaHolder, now: float) -> float:
        used, at = self._used.get(handler.key, (0.0, now))
        return max(0.0, used - (now - at) * self._allowance * handler.weight / WINDOW_SECONDS)

    def _wait(self, handler: QuotaHolder, now: float) -> float:
        """Seconds until a tenth of the allowance is there again; 0 where it is not used up."""
        allowance = self._allowance * handler.weight
        over = self._left_over(handler, now) - allowance
        return 0.0 if over < 0 else (over + allowance / 10) * WINDOW_SECONDS / allowance
