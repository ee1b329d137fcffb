"""The contract of caches, for every engine."""

import asyncio
import os
import secrets

import pytest
from structlog.testing import capture_logs
from tests.external_dependencies import needs

from groundwork.cache.contract import Cache
from groundwork.cache.in_process import InProcessCache
from groundwork.cache.open_ import check_cache, open_cache
from groundwork.clock import SECOND, HandClock, Instant
from groundwork.errors import Refused, Unavailable

REDIS_URL = os.environ.get("OPENMEET_TEST_REDIS", "redis://127.0.0.1:6379/0")


@pytest.fixture(params=["embedded:", pytest.param(REDIS_URL, marks=needs("redis"))])
async def cache(request):
    opened = open_cache(request.param, prefix=f"test-{secrets.token_hex(8)}", clock=HandClock(Instant(0)))
    yield opened
    await opened.close()


async def test_cached_value_is_returned(cache: Cache):
    assert await cache.get("k") is None
    await cache.put("k", b"\x00v", ttl_seconds=60)
    assert await cache.get("k") == b"\x00v"
    await cache.put("k", b"w", ttl_seconds=60)
    assert await cache.get("k") == b"w"
    await cache.delete("k")
    await cache.delete("k")
    assert await cache.get("k") is None


async def test_only_one_concurrent_put_is_first(cache: Cache):
    """Only one of many concurrent puts is the first, so that a replayed proof passes once."""
    stored = await asyncio.gather(*(cache.put_if_absent("k", bytes([n]), ttl_seconds=60) for n in range(20)))
    assert sum(stored) == 1
    assert await cache.get("k") == bytes([stored.index(True)])


async def test_credential_is_consumed_once(cache: Cache):
    await cache.put("k", b"v", ttl_seconds=60)
    taken = await asyncio.gather(*(cache.take("k") for _ in range(20)))
    assert sorted(taken, key=bool) == [None] * 19 + [b"v"]


async def test_value_expires_in_process():
    clock = HandClock(Instant(0))
    cache = InProcessCache(clock)
    await cache.put("k", b"v", ttl_seconds=10)
    clock.turn(9 * SECOND)
    assert await cache.get("k") == b"v"
    assert not await cache.put_if_absent("k", b"w", ttl_seconds=10)
    clock.turn(1 * SECOND)
    assert await cache.get("k") is None
    assert await cache.put_if_absent("k", b"w", ttl_seconds=10)


@needs("redis")
async def test_value_expires_in_redis():
    cache = open_cache(REDIS_URL, prefix=f"test-{secrets.token_hex(8)}", clock=HandClock(Instant(0)))
    await cache.put("k", b"v", ttl_seconds=0.001)
    answers = [await cache.get("k") for _ in range(200)]  # 200 round trips take longer than a millisecond
    assert answers[-1] is None
    await cache.close()


@needs("redis")
async def test_caches_with_different_prefixes_share_no_keys():
    """Tenants share a server but never a key, because their prefixes differ (invariant 5)."""
    run = secrets.token_hex(8)
    clock = HandClock(Instant(0))
    one, other = (open_cache(REDIS_URL, prefix=f"test-{run}-{name}", clock=clock) for name in "ab")
    await one.put("k", b"v", ttl_seconds=5)
    assert await other.get("k") is None
    await one.close()
    await other.close()


async def test_memory_is_bounded():
    cache = InProcessCache(HandClock(Instant(0)), max_bytes=100_000)
    for number in range(1000):
        await cache.put(str(number), b"x" * 1000, ttl_seconds=60)
    held = [number for number in range(1000) if await cache.get(str(number)) is not None]
    assert held
    assert len(held) < 100
    assert held[-1] == 999
    await cache.put("huge", b"x" * 200_000, ttl_seconds=60)
    assert await cache.get("huge") is None
    await cache.put("999", b"x" * 200_000, ttl_seconds=60)
    assert await cache.get("999") is None
    assert await cache.put_if_absent("vast", b"x" * 200_000, ttl_seconds=60)


async def test_unreachable_cache_raises_unavailable():
    cache = open_cache("redis://127.0.0.1:1/0", prefix="x", clock=HandClock(Instant(0)))
    with pytest.raises(Unavailable):
        await cache.get("k")
    await cache.close()


def test_other_urls_are_refused_with_a_message():
    with pytest.raises(Refused, match="redis://"):
        open_cache("memcached://x", prefix="x", clock=HandClock(Instant(0)))


async def test_unreachable_cache_is_reported_once_with_advice():
    """The warning names the cause but not the password in the URL. A cache that answers is not mentioned."""
    cache = open_cache("redis://:s3cret@127.0.0.1:1/0", prefix="test", clock=HandClock(Instant(0)))
    with capture_logs() as logs:
        await check_cache(cache, "Start Redis.")
        await check_cache(InProcessCache(HandClock(Instant(0))), "Start Redis.")
    await cache.close()
    assert [(one["event"], one["cause"], one["advice"]) for one in logs] == [
        ("cache.unreachable", "ConnectionError", "Start Redis.")
    ]
    assert "s3cret" not in str(logs)
