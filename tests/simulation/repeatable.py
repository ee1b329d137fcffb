"""Make a run of the simulation repeatable: randomness from a seed, host names instead of ports, one delivery at a time.

Programs draw random bytes where they need them. Here each function that draws has its own stream, derived from the seed
and the function's name, so that one more id in one place changes nothing in another.
"""

import asyncio
import hashlib
import os
import random
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any
from unittest.mock import patch

from aiohttp.abc import AbstractResolver, ResolveResult

from groundwork import uuid7
from groundwork.database.sqlite import SqliteDatabase
from groundwork.outbox import dispatcher
from openmeet.network.publishing import batch, schedule

# Modules that draw for their callers.
_GO_BETWEENS = {"random", "secrets", "uuid", "os", __name__}
# Deliveries for several people at the same time would reach a server in an order that no seed determines.
_ONE_AT_A_TIME = (
    (schedule, "_deliver_round"),
    (schedule, "deliver_one"),
    (batch, "_send_batch"),
    (dispatcher, "_deliver_call"),
)


class NamedServers(AbstractResolver):
    """Resolves fixed host names to the ports that servers on loopback have got. ``ports``: by name."""

    def __init__(self) -> None:
        self.ports: dict[str, int] = {}

    def name(self, host: str, url: str) -> str:
        """Give ``http://127.0.0.1:<port>`` a name, and return the URL with that name."""
        self.ports[host] = int(url.rpartition(":")[2])
        return f"http://{host}"

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        if host not in self.ports:
            raise OSError(f"unknown host name {host}")
        return [
            ResolveResult(
                hostname=host, host="127.0.0.1", port=self.ports[host], family=socket.AF_INET, proto=0, flags=0
            )
        ]

    async def close(self) -> None:
        return None


@contextmanager
def chance_from(seed: int) -> Iterator[None]:
    """Inside the block, ``os.urandom`` and ``random.random``, and everything based on them, are determined by the seed."""
    streams: dict[str, random.Random] = {}

    def stream() -> random.Random:
        who = _caller()
        if who not in streams:
            digest = hashlib.sha256(f"{seed} {who}".encode()).digest()
            streams[who] = random.Random(digest)
        return streams[who]

    def draw_bytes(count: int) -> bytes:
        return stream().randbytes(count)

    def draw() -> float:
        return stream().random()

    with ExitStack() as stack:
        stack.enter_context(patch.object(os, "urandom", draw_bytes))
        # ``secrets`` uses a separate reference to it.
        stack.enter_context(patch.object(random, "_urandom", draw_bytes))
        stack.enter_context(patch.object(random, "random", draw))
        # The clock of a run can be earlier or much later than that of a previous run in the same process.
        stack.enter_context(patch.object(uuid7, "_last", 0))
        yield


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Inside the block, deliveries that would run concurrently wait for each other, in the order in which they were
    started.
    """
    with ExitStack() as stack:
        for module, name in _ONE_AT_A_TIME:
            stack.enter_context(patch.object(module, name, _in_line(getattr(module, name))))
        yield


def _in_line(work: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    line = asyncio.Lock()

    async def waiting(*arguments: Any, **named: Any) -> Any:
        async with line:
            return await work(*arguments, **named)

    return waiting


class Killed(asyncio.CancelledError):
    """The processor has done the number of steps that it was given."""


@contextmanager
def killed_after(steps: int) -> Iterator[None]:
    """Kill the processor after a number of steps with the database. A step is the beginning of a transaction or its
    commit.
    """
    left = steps
    really = SqliteDatabase.batch

    def step() -> None:
        nonlocal left
        if left == 0:
            raise Killed
        left -= 1

    async def batch(*arguments: Any, **keywords: Any) -> Any:
        step()
        done = await really(*arguments, **keywords)
        step()
        return done

    with patch.object(SqliteDatabase, "batch", batch):
        yield


def _caller() -> str:
    """The file and function that draws."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__") in _GO_BETWEENS:
        frame = frame.f_back
    return "" if frame is None else f"{Path(frame.f_code.co_filename).name}:{frame.f_code.co_name}"
