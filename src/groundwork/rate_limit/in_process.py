"""Counters in this process's memory, limited in number: least recently used keys are evicted first."""

from collections import OrderedDict
from collections.abc import Sequence

from groundwork.clock import SECOND, Instant
from groundwork.rate_limit.contract import Limit, LimitState

# About 200 bytes each, so a flood from many addresses costs at most 20 MB. An evicted key starts again with all its
# points: what must not be reset by a flood or a restart, such as guesses of passwords, is counted in a database.
MAX_KEYS = 100_000


class InProcessCounters:
    """Counters within one process."""

    def __init__(self, max_keys: int = MAX_KEYS) -> None:
        self._max_keys = max_keys
        # Maps (limit, key) to (points used, end of the window).
        self._windows: OrderedDict[tuple[str, str], tuple[int, Instant]] = OrderedDict()

    async def add(self, limit: Limit, key: str, points: int, now: Instant) -> LimitState:
        return self._add(limit, key, points, now)

    async def add_each(self, charges: Sequence[tuple[Limit, str]], points: int, now: Instant) -> list[LimitState]:
        return [self._add(limit, key, points, now) for limit, key in charges]

    async def close(self) -> None:
        return None

    def _add(self, limit: Limit, key: str, points: int, now: Instant) -> LimitState:
        window_key = (limit.name, key)
        used, resets_at = self._windows.get(window_key, (0, Instant(0)))
        if resets_at <= now:
            used, resets_at = 0, Instant(now + limit.window_seconds * SECOND)
        is_refused = used + points > limit.points
        if not is_refused:
            used = max(0, used + points)
        self._windows[window_key] = (used, resets_at)
        self._windows.move_to_end(window_key)
        while len(self._windows) > self._max_keys:
            self._windows.popitem(last=False)
        return LimitState(limit, limit.points - used, resets_at, is_refused)
