"""What following a source is, whatever it speaks: reading and draining side by side, until somebody says stop."""

import asyncio
import contextlib
from typing import Protocol


class Source(Protocol):
    """A source being followed. ``read`` takes from it what comes, ``drain`` moves its cursor behind what was delivered."""

    async def read(self) -> None: ...

    async def drain(self) -> None: ...


async def follow_until(stop: asyncio.Event, source: Source, url: str) -> None:
    """Until ``stop`` is set, or one of the two ends; what ended it with a failure is raised, and neither outlives this."""
    tasks = [
        asyncio.create_task(source.read(), name=f"read {url}"),
        asyncio.create_task(source.drain(), name=f"drain {url}"),
        asyncio.create_task(stop.wait(), name="stop"),
    ]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
