"""Cache in Redis, shared by several processes. Every key has the prefix of its tenant or program."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import redis.asyncio
from redis.exceptions import RedisError

from groundwork.errors import Unavailable

# Timeout: a slower cache would take longer than computing the value again.
_PATIENCE_SECONDS = 2.0


@asynccontextmanager
async def _reachable() -> AsyncIterator[None]:
    try:
        yield
    except (RedisError, OSError) as error:
        raise Unavailable("The cache cannot be reached.") from error


class RedisCache:
    """The cache of ``contract``, in Redis. Keys start with the prefix, so several programs can share a server."""

    def __init__(self, url: str, *, prefix: str) -> None:
        self._redis = redis.asyncio.Redis.from_url(
            url, socket_timeout=_PATIENCE_SECONDS, socket_connect_timeout=_PATIENCE_SECONDS, max_connections=50
        )
        self._prefix = prefix + ":"

    async def get(self, key: str) -> bytes | None:
        async with _reachable():
            return _bytes(await self._redis.get(self._prefix + key))

    async def put(self, key: str, value: bytes, *, ttl_seconds: float) -> None:
        async with _reachable():
            await self._redis.set(self._prefix + key, value, px=_milliseconds(ttl_seconds))

    async def put_if_absent(self, key: str, value: bytes, *, ttl_seconds: float) -> bool:
        async with _reachable():
            stored = await self._redis.set(self._prefix + key, value, px=_milliseconds(ttl_seconds), nx=True)
            return bool(stored)

    async def take(self, key: str) -> bytes | None:
        async with _reachable():
            return _bytes(await self._redis.getdel(self._prefix + key))

    async def delete(self, key: str) -> None:
        async with _reachable():
            await self._redis.delete(self._prefix + key)

    async def close(self) -> None:
        await self._redis.aclose()


def _milliseconds(ttl_seconds: float) -> int:
    return max(1, round(ttl_seconds * 1000))  # Redis refuses zero


def _bytes(value: bytes | str | None) -> bytes | None:
    # The client is opened without decoding, but its types allow both bytes and text.
    return value.encode() if isinstance(value, str) else value
