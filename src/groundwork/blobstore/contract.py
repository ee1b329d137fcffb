"""The port: receive bytes of unknown content, keep them under a name, read them back in part or whole, remove them.

Names are paths of plain segments (``did:plc:…/bafk…``), chosen by the caller, never by a stranger. What is received but not
kept leaves nothing behind. Keeping is durable when it returns, and replaces what had the name (content-addressed callers
never notice).
"""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Protocol


class Receiving(Protocol):
    """Bytes on their way in."""

    async def write(self, chunk: bytes) -> None: ...

    async def keep(self, name: str) -> None:
        """Everything written so far is now the object ``name``; nothing may be written after it."""
        ...


class BlobStore(Protocol):
    """Where objects are."""

    def receive(self) -> AbstractAsyncContextManager[Receiving]:
        """Receive one object; leaving the block without ``keep`` discards it."""
        ...

    def read(self, name: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """Chunks of the bytes ``start`` to before ``end``. Raises NotFound, before the first chunk, for a name without object."""
        ...

    async def remove(self, name: str) -> None:
        """Remove an object; one that is not there is no failure."""
        ...
