"""The event loop that the programs use, for measurements inside one process."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from programs.running import new_event_loop  # type: ignore[attr-defined]  # of the loop that it runs on

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end on a new loop."""
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(work)
