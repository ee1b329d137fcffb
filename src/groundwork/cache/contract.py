"""What a cache offers. Keys are text, values are bytes; every value has an end."""

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

    async def close(self) -> None: ...
