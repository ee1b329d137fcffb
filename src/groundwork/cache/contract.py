"""Contract of a cache. Keys are text, values are bytes; every value expires."""

from typing import Protocol


class Cache(Protocol):
    """A bounded cache. Methods raise ``Unavailable`` if it cannot be reached."""

    async def get(self, key: str) -> bytes | None: ...

    async def put(self, key: str, value: bytes, *, ttl_seconds: float) -> None:
        """Store a value, replacing an earlier one."""
        ...

    async def put_if_absent(self, key: str, value: bytes, *, ttl_seconds: float) -> bool:
        """Store a value unless the key already has one. Returns whether it was stored; of several concurrent callers,
        one succeeds.
        """
        ...

    async def take(self, key: str) -> bytes | None:
        """Get and delete a value in one step, for credentials that can be used only once."""
        ...

    async def delete(self, key: str) -> None: ...

    async def close(self) -> None: ...
