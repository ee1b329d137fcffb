"""What a cache offers. Keys are text, values are bytes; every value has an end."""

import contextlib
import secrets
from collections.abc import AsyncIterator
from typing import Protocol


class Cache(Protocol):
    """A bounded store that forgets. Raises ``Unavailable`` when it cannot be reached."""

    async def get(self, key: str) -> bytes | None: ...

    async def put(self, key: str, value: bytes, *, ttl_seconds: float) -> None:
        """Store, replacing what was there."""
        ...

    async def put_if_absent(self, key: str, value: bytes, *, ttl_seconds: float) -> bool:
        """Store unless there is a value already; whether it was stored. Of many callers at once one hears yes."""
        ...

    async def take(self, key: str) -> bytes | None:
        """Get and delete in one step: a credential that works once."""
        ...

    async def delete(self, key: str) -> None: ...

    async def delete_if(self, key: str, value: bytes) -> bool:
        """Delete when it still holds ``value``; whether it did."""
        ...

    async def close(self) -> None: ...


@contextlib.asynccontextmanager
async def advisory_lock(cache: Cache, name: str, *, ttl_seconds: float) -> AsyncIterator[bool]:
    """Try to be the only one who does something; yields whether we are.

    Advice only: a holder that stalls longer than ``ttl_seconds`` is not alone any more, so whatever it does must be
    settled by a version in the database as well.
    """
    holder = secrets.token_bytes(16)
    key = f"lock:{name}"
    is_ours = await cache.put_if_absent(key, holder, ttl_seconds=ttl_seconds)
    try:
        yield is_ours
    finally:
        if is_ours:
            await cache.delete_if(key, holder)
