"""The event loop and the garbage collection that the programs use, for measurements inside one process."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from programs.running import collect_garbage_rarely, new_event_loop  # type: ignore[attr-defined]  # of the loop that it runs on

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end on a new loop.

    By default, Python would scan all objects of the process once in a few seconds. That stops a server, or the clients
    that measure it, for a quarter of a second.
    """
    collect_garbage_rarely()
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(work)
