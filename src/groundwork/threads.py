"""Work on threads: work whose caller cleans up afterwards, and computations that would hold up the event loop."""

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

# What Python code does with so many bytes of the worst JSON or CBOR takes about ten milliseconds.
AT_ONCE_BYTES: Final = 8 * 1024

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
