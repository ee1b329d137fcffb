"""Cache of network look-ups, with stale-while-revalidate.

A value is fresh for a while, then served stale while it is refetched in the background, and unusable after a hard
limit. At most one request per key is in flight. A failure never overwrites a good value; only the answer "not found"
does. "Not found" and failures are cached for a short time, so that a missing name or a server that is down is not
queried on every request. Forced refreshes are limited per key and per host.

Strangers choose keys and values, so a cache is limited by the memory that its entries take, not only by their number.
The least recently used entries are dropped first.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextvars import Context
from dataclasses import dataclass, is_dataclass
from typing import Generic, TypeVar

from cachetools import LRUCache

from groundwork.clock import MINUTE, SECOND, Clock
from groundwork.errors import Failure, NotFound, Unavailable
from groundwork.threads import never_refused

K = TypeVar("K")
V = TypeVar("V")

# Forced refreshes per host and minute. Without a limit, someone who sends invalid signatures could make this server
# flood another server.
_FORCED_PER_HOST = 300
_MAX_HOSTS = 10_000

# What the cache itself needs for an entry: its place in three dictionaries, and the entry's own fields.
_ENTRY_BYTES = 600

# OpenSSL's structures of one elliptic curve key take about this much.
_OPAQUE_BYTES = 2_000

_PLAIN = (str, bytes, int, float, bool, type(None))


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """Cache lifetimes in seconds.

    ``absent`` is how long "not found" is cached. ``failed`` is how long a failing server is not queried again.
    """

    fresh_seconds: int = 3600
    hard_seconds: int = 86_400
    absent_seconds: int = 60
    failed_seconds: int = 10
    forced_gap_seconds: int = 30


@dataclass(slots=True)
class _Entry(Generic[V]):
    value: V | None = None
    fetched_at: int = 0
    failure: Failure | None = None
    failed_at: int = 0
    is_doubted: bool = False
    size_bytes: int = 0


class LookupCache(Generic[K, V]):
    """Cached results of look-ups, by key.

    ``fetch`` raises NotFound if there is no value, and another failure if it cannot tell. ``max_bytes`` limits what keys,
    values and failures take in memory (``memory_bytes``).
    """

    def __init__(
        self,
        fetch: Callable[[K], Awaitable[V]],
        clock: Clock,
        *,
        host_of: Callable[[K], str],
        lifetimes: Lifetimes,
        max_bytes: int,
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._host_of = host_of
        self._lifetimes = lifetimes
        self._entries: LRUCache[K, _Entry[V]] = LRUCache(max_bytes, getsizeof=lambda entry: entry.size_bytes)
        self._under_way: dict[K, asyncio.Task[_Entry[V]]] = {}
        self._forced: LRUCache[tuple[str, int], int] = LRUCache(_MAX_HOSTS)

    def peek(self, key: K) -> V | None:
        """Return the cached value if it can be used without a fetch. A stale value is refetched in the background."""
        entry = self._entries.get(key)
        if entry is None or entry.value is None or entry.is_doubted:
            return None
        now = self._clock.now()
        age = now - entry.fetched_at
        if age >= self._lifetimes.hard_seconds * SECOND:
            return None
        if age >= self._lifetimes.fresh_seconds * SECOND and not self._fails_now(entry, now):
            self._refresh_in_background(key)
        return entry.value

    async def get(self, key: K) -> V:
        """Return the value, fetching it only if the cached one is too old. Raises what ``fetch`` raises."""
        value = self.peek(key)
        if value is not None:
            return value
        entry = self._entries.get(key)
        if entry is not None and entry.failure is not None and self._fails_now(entry, self._clock.now()):
            return self._cached_value(entry)
        return await self._fetch_shared(key)

    async def get_current(self, key: K) -> V:
        """Fetch and return the value. Raises what ``fetch`` raises, even if an earlier value is still usable."""
        entry = await asyncio.shield(self._under_way.get(key) or self._start(key, None))
        if entry.failure is not None:
            raise _copy(entry.failure)
        return self._cached_value(entry)

    async def refresh(self, key: K) -> V:
        """Refetch and return the value, unless the key was fetched a moment ago or its host was refreshed too often."""
        entry = self._entries.get(key)
        now = self._clock.now()
        if (
            entry is not None
            and now - max(entry.fetched_at, entry.failed_at) < self._lifetimes.forced_gap_seconds * SECOND
        ):
            return self._cached_value(entry)
        window = (self._host_of(key), now // MINUTE)
        if self._forced.get(window, 0) >= _FORCED_PER_HOST:
            return self._cached_value(entry)
        self._forced[window] = self._forced.get(window, 0) + 1
        return await self._fetch_shared(key)

    def recheck(self, key: K) -> None:
        """Revalidate the value before its next use, after a change was announced. If the fetch fails, the value stays
        usable.
        """
        entry = self._entries.get(key)
        if entry is not None:
            entry.is_doubted = True
            entry.failure = None

    async def close(self) -> None:
        """Cancel the fetches in flight."""
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _fails_now(self, entry: _Entry[V], now: int) -> bool:
        if entry.failure is None:
            return False
        is_absent = isinstance(entry.failure, NotFound)
        seconds = self._lifetimes.absent_seconds if is_absent else self._lifetimes.failed_seconds
        return now - entry.failed_at < seconds * SECOND

    def _cached_value(self, entry: _Entry[V] | None) -> V:
        """Return the value if it is within its hard limit; otherwise raise the cached failure."""
        if entry is None:
            raise Unavailable("There were too many requests for this. Try again in a minute.")
        if entry.value is not None and self._clock.now() - entry.fetched_at < self._lifetimes.hard_seconds * SECOND:
            return entry.value
        if entry.failure is None:
            raise Unavailable("The known data is too old, and there were too many requests for it.")
        raise _copy(entry.failure)

    async def _fetch_shared(self, key: K) -> V:
        task = self._under_way.get(key)
        if task is None:
            task = self._start(key, None)
        # Shielded, so that one caller's deadline does not cancel the fetch for the others.
        return self._cached_value(await asyncio.shield(task))

    def _refresh_in_background(self, key: K) -> None:
        if key not in self._under_way:
            # No caller waits for this fetch, so it can run while the caller has a transaction open. It therefore gets
            # its own context.
            self._start(key, Context())

    def _start(self, key: K, context: Context | None) -> asyncio.Task[_Entry[V]]:
        task = asyncio.create_task(self._fetch_into(key), context=context)
        self._under_way[key] = task
        task.add_done_callback(lambda _done: self._under_way.pop(key, None))
        return task

    async def _fetch_into(self, key: K) -> _Entry[V]:
        try:
            with never_refused():
                value = await self._fetch(key)
        except Failure as failure:
            entry = self._entries.get(key)
            if entry is None or isinstance(failure, NotFound):
                entry = _Entry()
            entry.failure, entry.failed_at, entry.is_doubted = _copy(failure), self._clock.now(), False
        else:
            entry = _Entry(value, self._clock.now())
        entry.size_bytes = _ENTRY_BYTES + memory_bytes((key, entry.value, entry.failure))
        if entry.size_bytes <= self._entries.maxsize:
            self._entries[key] = entry
        else:
            self._entries.pop(key, None)
        return entry


def _copy(failure: Failure) -> Failure:
    """Return the failure without its traceback, whose variables hold the response that could not be used. A failure
    that is kept is never raised itself, because raising adds a traceback.
    """
    copied = type(failure).__new__(type(failure), *failure.args)
    vars(copied).update(vars(failure))
    return copied


def memory_bytes(value: object) -> int:
    """Return the estimated bytes of a value: text, bytes, numbers, collections, dataclasses, exceptions of these.

    It counts everything that a value leads to, and a part that occurs twice counts twice, so the estimate is high rather
    than low. Objects of compiled libraries do not show what they hold; each counts a flat amount.
    """
    total = 0
    pending = [value]
    while pending:
        one = pending.pop()
        total += sys.getsizeof(one)
        if isinstance(one, _PLAIN):
            continue
        if isinstance(one, Mapping):
            pending += one.keys()
            pending += one.values()
        elif isinstance(one, list | tuple | set | frozenset):
            pending += one
        elif isinstance(one, BaseException):
            pending += (one.args, vars(one))
        elif is_dataclass(one):
            pending += (getattr(one, name) for name in one.__dataclass_fields__)
        else:
            total += _OPAQUE_BYTES
    return total
