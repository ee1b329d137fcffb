"""What makes a run of the simulation the same each time: chance from a seed, names in place of ports, one payment at a time.

Programs draw random bytes where they need them. Here every line of code that draws has a stream of its own, made of the seed and
the name of that function, so that an id more in one place changes nothing in another.
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

# Modules that draw on behalf of somebody else.
_GO_BETWEENS = {"random", "secrets", "uuid", "os", __name__}
# Payments of several people at one moment reach a server in no order that a seed could fix.
_ONE_AT_A_TIME = ((schedule, "_round"), (schedule, "deliver_one"), (batch, "_send_batch"), (dispatcher, "_call"))


class NamedServers(AbstractResolver):
    """Leads fixed host names to whatever ports servers on loopback have got: ``ports`` by name."""

    def __init__(self) -> None:
        self.ports: dict[str, int] = {}

    def name(self, host: str, url: str) -> str:
        """The address under which ``http://127.0.0.1:<port>`` is known from now on."""
        self.ports[host] = int(url.rpartition(":")[2])
        return f"http://{host}"

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        if host not in self.ports:
            raise OSError(f"nobody is called {host} here")
        return [
            ResolveResult(
                hostname=host, host="127.0.0.1", port=self.ports[host], family=socket.AF_INET, proto=0, flags=0
            )
        ]

    async def close(self) -> None:
        return None


@contextmanager
def chance_from(seed: int) -> Iterator[None]:
    """Inside the block ``os.urandom`` and ``random.random``, and what rests on them, follow from the seed."""
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
        # What ``secrets`` rests on has its own name for it.
        stack.enter_context(patch.object(random, "_urandom", draw_bytes))
        stack.enter_context(patch.object(random, "random", draw))
        # The clock of a run begins long after that of an earlier one in this process has ended, or before.
        stack.enter_context(patch.object(uuid7, "_last", 0))
        yield


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Inside the block payments that would go on beside each other wait for each other, in the order in which they were begun."""
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
    """The processor has come as far as it was meant to."""


@contextmanager
def killed_after(steps: int) -> Iterator[None]:
    """The processor dies when it has done so many steps with the database: before a transaction or behind its commit."""
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
    """Who draws: file and function."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__") in _GO_BETWEENS:
        frame = frame.f_back
    return "" if frame is None else f"{Path(frame.f_code.co_filename).name}:{frame.f_code.co_name}"
