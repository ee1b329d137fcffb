"""Contract of a cache. Keys are text, values are bytes; every value expires."""

from typing import Protocol


class Cache(Protocol):
    """A bounded cache. Raises ``Unavailable`` when it cannot be reached."""

    async def get(self, key: str) -> bytes | None: ...

    async def put(self, key: str, value: bytes, *, ttl_seconds: float) -> None:
        """Store, replacing an earlier value."""
        ...

    async def put_if_absent(self, key: str, value: bytes, *, ttl_seconds: float) -> bool:
        """Store unless there is a value already; returns whether it was stored. Of many concurrent callers one
        succeeds.
        """
        ...

    async def take(self, key: str) -> bytes | None:
        """Get and delete in one step: for credentials that work once."""
        ...

    async def delete(self, key: str) -> None: ...

    async def close(self) -> None: ...
