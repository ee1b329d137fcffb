"""Cache in this process's memory, bounded in bytes; least recently used entries are evicted first."""

from cachetools import TLRUCache

from groundwork.clock import SECOND, Clock

# Overhead of an entry in Python objects, in addition to its key and value.
_ENTRY_BYTES = 250

MAX_BYTES = 64 * 1024 * 1024


def _ends_at(_key: str, entry: tuple[bytes, float], now: float) -> float:
    return now + entry[1]


def _cost(entry: tuple[bytes, float]) -> int:
    return len(entry[0]) + _ENTRY_BYTES


class InProcessCache:
    """A cache within one process. All operations are atomic because they never await."""

    def __init__(self, clock: Clock, *, max_bytes: int = MAX_BYTES) -> None:
        self._entries: TLRUCache[str, tuple[bytes, float]] = TLRUCache(
            maxsize=max_bytes, ttu=_ends_at, timer=lambda: clock.now() / SECOND, getsizeof=_cost
        )

    async def get(self, key: str) -> bytes | None:
        entry = self._entries.get(key)
        return None if entry is None else entry[0]

    async def put(self, key: str, value: bytes, *, ttl_seconds: float) -> None:
        # A value that could never fit is treated like one that was evicted at once.
        self._entries.pop(key, None)
        if _cost((value, 0)) <= self._entries.maxsize:
            self._entries[key] = (value, ttl_seconds)

    async def put_if_absent(self, key: str, value: bytes, *, ttl_seconds: float) -> bool:
        if key in self._entries:
            return False
        await self.put(key, value, ttl_seconds=ttl_seconds)
        return True

    async def take(self, key: str) -> bytes | None:
        entry = self._entries.pop(key, None)
        return None if entry is None else entry[0]

    async def delete(self, key: str) -> None:
        self._entries.pop(key, None)

    async def close(self) -> None:
        self._entries.clear()
