"""Work on threads: work whose caller cleans up afterwards, and computations that would hold up the event loop."""

import asyncio
import contextvars
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, ParamSpec, TypeVar

from groundwork.errors import TooMany, Unavailable

P = ParamSpec("P")
T = TypeVar("T")

# What Python code does with so many bytes of the worst JSON or CBOR takes about ten milliseconds.
AT_ONCE_BYTES: Final = 8 * 1024

# What one client and all clients can have waiting. The worst JSON of this size takes about ten and forty seconds.
CLIENT_BYTES: Final = 8 * 1024 * 1024
ALL_CLIENTS_BYTES: Final = 32 * 1024 * 1024
_RETRY_SECONDS: Final = 5

# One thread, because the event loop waits for up to a time slice (5 ms) of each thread that computes.
_COMPUTING = ThreadPoolExecutor(1, thread_name_prefix="computing")


async def on_thread(work: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
    """Run a function on a thread. A cancelled caller waits until the function has ended, because the caller then closes
    or removes the resources that the thread uses.
    """
    running = asyncio.ensure_future(asyncio.to_thread(work, *arguments, **options))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait({running})
        raise


@dataclass(frozen=True, slots=True)
class _Client:
    """For whom the current task computes. Without ``is_refused``, its computations wait for any time."""

    computations: "ClientComputations"
    name: str
    is_refused: bool = True


_CLIENT: ContextVar[_Client | None] = ContextVar("computing_client", default=None)


async def compute(size: int, work: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
    """Run a computation whose input has ``size`` bytes: at once if it is small, otherwise on a thread, after those that
    were requested earlier. Meanwhile, the event loop continues.

    Inside ``ClientComputations.used_by``, it is one of the client's, and raises TooMany and Unavailable.
    """
    if size <= AT_ONCE_BYTES:
        return work(*arguments, **options)
    client = _CLIENT.get()
    if client is None:
        return await _on_computing_thread(work, *arguments, **options)
    run = client.computations.compute if client.is_refused else client.computations.compute_in_turn
    return await run(client.name, size, work, *arguments, **options)


async def _on_computing_thread(work: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
    in_context = partial(contextvars.copy_context().run, work, *arguments, **options)
    return await asyncio.get_running_loop().run_in_executor(_COMPUTING, in_context)


@contextmanager
def never_refused() -> Iterator[None]:
    """Context manager in which ``compute`` waits instead of raising TooMany or Unavailable, because other clients wait for
    the same result.
    """
    before = _CLIENT.get()
    _CLIENT.set(None if before is None else replace(before, is_refused=False))
    try:
        yield
    finally:
        _CLIENT.set(before)


class _Turn:
    """The computations of one client: one after another."""

    __slots__ = ("count", "lock")

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.count = 0


class ClientComputations:
    """Computations for clients: with what they sent, or with stored data that they request. Each client has only one in
    the queue at a time, so that others wait for one of its computations, however many it has requested. Clients are told
    apart by any text.
    """

    def __init__(self) -> None:
        # Both contain only the clients that have requested something.
        self._turns: dict[str, _Turn] = {}
        self._waiting: Counter[str] = Counter()
        self._total = 0

    @contextmanager
    def used_by(self, client: str) -> Iterator[None]:
        """Context manager in which ``compute`` computes for this client."""
        before = _CLIENT.get()
        _CLIENT.set(_Client(self, client))
        try:
            yield
        finally:
            # The value is restored without a token, because a cancelled request may be unwound in another context.
            _CLIENT.set(before)

    async def compute(self, client: str, size: int, work: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
        """Run a computation like ``compute``, after those that the client requested earlier. Raises TooMany if too much
        of this client is waiting, Unavailable if too much of all clients is.
        """
        if size <= AT_ONCE_BYTES:
            return work(*arguments, **options)
        if self._waiting[client] + size > CLIENT_BYTES:
            why = "Much of what you requested is still being computed. Wait for the responses before you request more."
            raise TooMany(why, after_seconds=_RETRY_SECONDS)
        if self._total + size > ALL_CLIENTS_BYTES:
            raise Unavailable("The server has too much to compute. Try again soon.", after_seconds=_RETRY_SECONDS)
        self._waiting[client] += size
        self._total += size
        try:
            return await self.compute_in_turn(client, size, work, *arguments, **options)
        finally:
            self._total -= size
            self._waiting[client] -= size
            if not self._waiting[client]:
                del self._waiting[client]

    async def compute_in_turn(
        self, client: str, size: int, work: Callable[P, T], *arguments: P.args, **options: P.kwargs
    ) -> T:
        """Do the same as ``compute``, but wait for any time. For callers that limit in another way how much waits."""
        if size <= AT_ONCE_BYTES:
            return work(*arguments, **options)
        turn = self._turns.setdefault(client, _Turn())
        turn.count += 1
        try:
            async with turn.lock:
                return await _on_computing_thread(work, *arguments, **options)
        finally:
            turn.count -= 1
            if not turn.count:
                del self._turns[client]
