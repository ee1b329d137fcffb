"""The look-up cache: what is cached, for how long, and who refreshes it."""

import asyncio
import gc
import tracemalloc
import weakref
from dataclasses import dataclass

import pytest

from at_network.lookup_cache import Lifetimes, LookupCache, memory_bytes
from groundwork.clock import HOUR, MINUTE, SECOND
from groundwork.errors import NotFound, RemoteFailed, Unavailable


class Source:
    """The source behind the cache. It counts the look-ups, and returns the value set by the test once it is released."""

    def __init__(self) -> None:
        self.answer: object = 1
        self.asked = 0
        self.open = asyncio.Event()
        self.open.set()

    async def __call__(self, _key: str) -> object:
        self.asked += 1
        await self.open.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def source():
    return Source()


@pytest.fixture
async def cache(source, clock):
    made = LookupCache(source, clock, host_of=lambda _key: "host", lifetimes=Lifetimes(), max_bytes=1_000_000)
    yield made
    await made.close()


async def run_pending_tasks() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_fresh_value_is_not_fetched(cache, source, clock):
    await cache.get("a")
    clock.turn(59 * MINUTE)
    assert await cache.get("a") == 1
    assert source.asked == 1


async def test_stale_value_is_served_while_it_is_fetched(cache, source, clock):
    """A stale value is served at once while a new one is fetched; the next caller gets the new one."""
    await cache.get("a")
    clock.turn(2 * HOUR)
    source.answer = 2
    source.open.clear()
    assert await cache.get("a") == 1
    source.open.set()
    await run_pending_tasks()
    assert await cache.get("a") == 2


async def test_value_beyond_the_hard_limit_is_waited_for(cache, source, clock):
    await cache.get("a")
    clock.turn(25 * HOUR)
    source.answer = 2
    assert await cache.get("a") == 2


async def test_current_value_is_never_an_earlier_one(cache, source):
    """If the source fails, so does the look-up, although an earlier value is still usable for other callers."""
    await cache.get("a")
    source.answer = RemoteFailed("down")
    with pytest.raises(RemoteFailed):
        await cache.get_current("a")
    assert await cache.get("a") == 1
    source.answer = 2
    assert await cache.get_current("a") == 2


async def test_concurrent_callers_share_one_lookup(cache, source):
    source.open.clear()
    asking = [asyncio.create_task(cache.get("a")) for _ in range(50)]
    await run_pending_tasks()
    source.open.set()
    assert await asyncio.gather(*asking) == [1] * 50
    assert source.asked == 1


async def test_cancelled_caller_does_not_cancel_the_lookup(cache, source):
    """A caller who is cancelled does not cancel the look-up for others."""
    source.open.clear()
    impatient, patient = asyncio.create_task(cache.get("a")), asyncio.create_task(cache.get("a"))
    await run_pending_tasks()
    impatient.cancel()
    await run_pending_tasks()
    source.open.set()
    assert await patient == 1


async def test_failure_never_overwrites_a_good_value(cache, source, clock):
    """A failure never replaces a good value: if the directory is down, known identities keep working until the hard
    limit.
    """
    await cache.get("a")
    source.answer = RemoteFailed("down")
    clock.turn(23 * HOUR)
    assert await cache.get("a") == 1
    await run_pending_tasks()
    assert source.asked == 2
    assert await cache.get("a") == 1
    clock.turn(2 * HOUR)
    with pytest.raises(RemoteFailed):
        await cache.get("a")


async def test_absence_overwrites_a_good_value(cache, source, clock):
    """A name that no longer exists replaces a known value."""
    await cache.get("a")
    source.answer = NotFound("gone")
    clock.turn(HOUR)
    await cache.get("a")
    await run_pending_tasks()
    with pytest.raises(NotFound):
        await cache.get("a")


@pytest.mark.parametrize(("answer", "seconds"), [(NotFound("none"), 60), (RemoteFailed("down"), 10)])
async def test_negative_results_are_cached_briefly(cache, source, clock, answer, seconds):
    """Negative results are cached briefly, so that a missing name or a failing server is not queried for every request."""
    source.answer = answer
    for turn in (0, seconds * SECOND - 1, 1):
        clock.turn(turn)
        with pytest.raises(type(answer)):
            await cache.get("a")
    assert source.asked == 2


async def test_failing_server_is_not_called_for_stale_values(cache, source, clock):
    await cache.get("a")
    clock.turn(2 * HOUR)
    source.answer = RemoteFailed("down")
    for _ in range(5):
        await cache.get("a")
        await run_pending_tasks()
    assert source.asked == 2


async def test_recheck_forces_a_lookup_before_the_next_use(cache, source):
    """After an announced change, the old value is not used without a new look-up."""
    await cache.get("a")
    source.answer = 2
    cache.recheck("a")
    assert await cache.get("a") == 2


async def test_doubted_value_is_used_if_the_lookup_fails(cache, source):
    await cache.get("a")
    source.answer = RemoteFailed("down")
    cache.recheck("a")
    assert await cache.get("a") == 1


async def test_forced_refresh_is_limited_per_key(cache, source, clock):
    """Forced refreshes are limited per key: several failing signatures cause one look-up, and another one half a minute
    later at the earliest.
    """
    await cache.get("a")
    clock.turn(31 * SECOND)
    for _ in range(5):
        await cache.refresh("a")
    assert source.asked == 2
    clock.turn(30 * SECOND)
    await cache.refresh("a")
    assert source.asked == 3


async def test_forced_refresh_is_limited_per_host(clock, source):
    """Forced refreshes of many keys on one server are limited to three hundred per minute."""
    cache = LookupCache(source, clock, host_of=lambda _key: "host", lifetimes=Lifetimes(), max_bytes=1_000_000)
    refused = 0
    for key in range(310):
        try:
            await cache.refresh(key)
        except Unavailable:
            refused += 1
    assert (source.asked, refused) == (300, 10)
    clock.turn(MINUTE)
    await cache.refresh(305)


async def test_memory_is_bounded(cache, source):
    """The least recently used values are dropped when all values together take too much memory."""
    source.answer = ["é" * 50_000]
    for key in range(20):
        await cache.get(str(key))
    await cache.get("19")
    assert source.asked == 20
    await cache.get("0")
    assert source.asked == 21


async def test_memory_of_keys_and_failures_is_bounded(cache, source):
    source.answer = NotFound("é" * 50_000)
    for key in range(20):
        with pytest.raises(NotFound):
            await cache.get(str(key) + "k" * 50_000)
    with pytest.raises(NotFound):
        await cache.get("0" + "k" * 50_000)
    assert source.asked == 21


async def test_value_larger_than_the_cache_is_returned_but_not_kept(cache, source):
    source.answer = "é" * 1_000_000
    assert await cache.get("a") == await cache.get("a") == source.answer
    assert source.asked == 2


class Response:
    """What a look-up received before it failed."""


async def test_failure_does_not_keep_the_response_that_caused_it(clock):
    """A kept failure has no traceback, neither that of the look-up nor that of a caller."""
    seen = []

    async def fetch(_key):
        response = Response()
        seen.append(weakref.ref(response))
        try:
            return int(repr(response))
        except ValueError:
            raise RemoteFailed("cannot be used") from None

    failing = LookupCache(fetch, clock, host_of=lambda _key: "host", lifetimes=Lifetimes(), max_bytes=1_000_000)

    async def ask():
        response = Response()
        seen.append(weakref.ref(response))
        with pytest.raises(RemoteFailed, match="cannot be used"):
            await failing.get("a")

    await ask()
    await ask()
    await run_pending_tasks()
    gc.collect()
    assert [one() for one in seen] == [None] * 3


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    tags: tuple[str, ...]


@pytest.mark.parametrize(
    "make",
    [
        lambda: b"x" * 1_000_000,
        lambda: "é" * 1_000_000,
        lambda: [[] for _ in range(10_000)],
        lambda: {f"key {number}": {} for number in range(10_000)},
        lambda: tuple(f"{number}é" for number in range(10_000)),
        lambda: {number: float(number) for number in range(10_000)},
        lambda: [Row(f"name {number}", (f"a{number}", f"b{number}")) for number in range(10_000)],
        lambda: [NotFound(f"There is no {number}.") for number in range(1_000)],
        lambda: frozenset(f"{number}" for number in range(10_000)),
    ],
)
def test_estimate_is_close_to_what_is_allocated(make):
    """The estimate of memory is about what the interpreter allocates."""
    tracemalloc.start()
    try:
        value = make()
        taken = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert 0.95 * taken < memory_bytes(value) < 2 * taken
