"""Counters in Redis, shared by processes.

A window is a hash with the points used and the end of the window. One script changes it, so that concurrent processes
never exceed the limit. The caller's clock determines the end; Redis only expires keys that are no longer used. While
Redis cannot be reached, each process counts on its own. The limit is then too high for a while, but requests are still
answered, all but a few of them without waiting for Redis.
"""

import time
from collections.abc import Sequence
from typing import Any

import redis.asyncio
from redis.exceptions import RedisError

from groundwork.clock import SECOND, Instant
from groundwork.rate_limit.contract import Limit, LimitState
from groundwork.rate_limit.in_process import InProcessCounters
from groundwork.telemetry.logs import log

_PATIENCE_SECONDS = 1.0
# While Redis does not answer, it is asked again after this time. Otherwise every request would wait for it.
_AGAIN_SECONDS = 5.0

# KEYS[1]; ARGV: points requested, points of the limit, now and length of the window in microseconds. Returns the points
# used, the end of the window, and whether this attempt was rejected.
_ADD = """
local held = redis.call('hmget', KEYS[1], 'used', 'over')
local used, over, now = tonumber(held[1] or '0'), tonumber(held[2] or '0'), tonumber(ARGV[3])
if over <= now then
  used = 0
  over = now + tonumber(ARGV[4])
end
local refused = 0
if used + tonumber(ARGV[1]) > tonumber(ARGV[2]) then refused = 1 else used = math.max(0, used + tonumber(ARGV[1])) end
redis.call('hset', KEYS[1], 'used', used, 'over', string.format('%.0f', over))
redis.call('pexpire', KEYS[1], math.ceil(tonumber(ARGV[4]) / 1000) * 2)
return {used, string.format('%.0f', over), refused}
"""


class RedisCounters:
    """A connection pool and a prefix."""

    def __init__(self, url: str, *, prefix: str) -> None:
        self._redis: Any = redis.asyncio.Redis.from_url(
            url, socket_timeout=_PATIENCE_SECONDS, socket_connect_timeout=_PATIENCE_SECONDS, max_connections=50
        )
        self._add = self._redis.register_script(_ADD)
        self._prefix = prefix + ":"
        self._own = InProcessCounters()
        # When Redis is asked again, by the monotonic clock; None while it answers.
        self._asked_again_at: float | None = None

    async def add(self, limit: Limit, key: str, points: int, now: Instant) -> LimitState:
        return (await self.add_each([(limit, key)], points, now))[0]

    async def add_each(self, charges: Sequence[tuple[Limit, str]], points: int, now: Instant) -> list[LimitState]:
        if self._asked_again_at is not None and time.monotonic() < self._asked_again_at:
            return await self._own.add_each(charges, points, now)
        try:
            async with self._redis.pipeline(transaction=False) as pipeline:
                for limit, key in charges:
                    window = limit.window_seconds * SECOND
                    name = f"{self._prefix}{limit.name}:{key}"
                    await self._add(keys=[name], args=[points, limit.points, now, window], client=pipeline)
                replies = await pipeline.execute()
        except (RedisError, OSError) as error:
            self._note(error)
            return await self._own.add_each(charges, points, now)
        self._note(None)
        return [
            LimitState(limit, max(0, limit.points - int(used)), Instant(int(over)), bool(refused))
            for (limit, _), (used, over, refused) in zip(charges, replies, strict=True)
        ]

    async def close(self) -> None:
        await self._redis.aclose()

    def _note(self, error: Exception | None) -> None:
        is_away = self._asked_again_at is not None
        if error is not None and not is_away:
            log.warning("counters.counted_apart", why=type(error).__name__)
        elif error is None and is_away:
            log.info("counters.shared_again")
        self._asked_again_at = None if error is None else time.monotonic() + _AGAIN_SECONDS
