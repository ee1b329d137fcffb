"""One lock per account. A lock exists only while somebody holds or awaits it."""

import asyncio
from types import TracebackType

from at_protocol.syntax.did import Did


class Locks:
    """Serializes changes to one account in order of arrival. Different accounts do not wait for each other."""

    def __init__(self) -> None:
        self._held: dict[Did, tuple[asyncio.Lock, int]] = {}

    def hold(self, did: Did) -> "_Hold":
        """Hold the account's lock for a block (``async with``). No other task is in such a block for this account."""
        return _Hold(self._held, did)


class _Hold:
    """Context manager that holds one lock. The last holder removes the lock, so that idle accounts take no memory."""

    __slots__ = ("_did", "_held")

    def __init__(self, held: dict[Did, tuple[asyncio.Lock, int]], did: Did) -> None:
        self._held = held
        self._did = did

    async def __aenter__(self) -> None:
        lock, users = self._held.get(self._did) or (asyncio.Lock(), 0)
        self._held[self._did] = (lock, users + 1)
        try:
            await lock.acquire()
        except BaseException:
            self._leave()
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._held[self._did][0].release()
        self._leave()

    def _leave(self) -> None:
        lock, users = self._held.pop(self._did)
        if users > 1:
            self._held[self._did] = (lock, users - 1)
