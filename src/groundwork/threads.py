"""Work on threads: work whose caller cleans up afterwards, and computations that would hold up the event loop."""

import asyncio
import contextvars
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
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


async def compute(size: int, work: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
    """Run a computation whose input has ``size`` bytes: at once if it is small, otherwise on a thread, after those that
    were requested earlier. Meanwhile, the event loop continues.
    """
    if size <= AT_ONCE_BYTES:
        return work(*arguments, **options)
    in_context = partial(contextvars.copy_context().run, work, *arguments, **options)
    return await asyncio.get_running_loop().run_in_executor(_COMPUTING, in_context)


class ClientComputations:
    """Computations with what clients sent. Each client has only one in the queue at a time, so that others wait for one
    of its computations, however many it has requested. Clients are told apart by any text.
    """

    def __init__(self) -> None:
        # Both contain only the clients that have requested something.
        self._turns: dict[str, asyncio.Lock] = {}
        self._waiting: Counter[str] = Counter()
        self._total = 0

    async def compute(self, client: str, size: int, work: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
        """Run a computation like ``compute``, after those that the client requested earlier. Raises TooMany if too much
        of this client is waiting, Unavailable if too much of all clients is.
        """
        if size <= AT_ONCE_BYTES:
            return work(*arguments, **options)
        if self._waiting[client] + size > CLIENT_BYTES:
            why = "Much of what you sent is still being read. Wait for the responses before you send more."
            raise TooMany(why, after_seconds=_RETRY_SECONDS)
        if self._total + size > ALL_CLIENTS_BYTES:
            raise Unavailable("The server has too much to read. Try again soon.", after_seconds=_RETRY_SECONDS)
        self._waiting[client] += size
        self._total += size
        try:
            async with self._turns.setdefault(client, asyncio.Lock()):
                return await compute(size, work, *arguments, **options)
        finally:
            self._total -= size
            self._waiting[client] -= size
            if not self._waiting[client]:
                del self._waiting[client], self._turns[client]
