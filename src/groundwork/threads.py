"""Work on a thread whose caller cleans up afterwards."""

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


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
