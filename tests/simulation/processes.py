"""Our real programs as separate processes: started, checked for readiness, stopped, killed, restarted."""

import asyncio
import fcntl
import itertools
import os
import re
import signal
import socket
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from aiohttp import ClientError, ClientSession, ClientTimeout

from tests import fork_server
from tests.fork_server import ForkedCommand

OPENMEET = str(Path(sys.executable).parent / "openmeet")


# Below the ports that the system itself assigns to outgoing connections (32768 and above on Linux). The system could
# take any of those after it was found free and before a program binds it.
_PORTS = range(20_000, 32_000)
_LOCKS = Path(tempfile.gettempdir()) / f"openmeet-test-ports-{os.getuid()}"
_held: list[IO[bytes]] = []
# Each process starts its search at a different port and continues from there, because ports that it has handed out stay
# reserved.
_BEGIN = os.getpid() * 97 % len(_PORTS)
_next_ports = itertools.cycle((*_PORTS[_BEGIN:], *_PORTS[:_BEGIN]))


def free_port() -> int:
    """A port without a listener that no other test on this machine gets before this process has ended."""
    _LOCKS.mkdir(exist_ok=True)
    for port in itertools.islice(_next_ports, len(_PORTS)):
        lock = (_LOCKS / str(port)).open("wb")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(("127.0.0.1", port))
        except OSError:
            lock.close()
            continue
        _held.append(lock)
        return port
    raise AssertionError("every port is taken")


class DidNotStart(AssertionError):
    """A program ended, or did not answer in time, before it was ready. The message has its output."""


async def wait_until_ready(
    process: asyncio.subprocess.Process | ForkedCommand, url: str, timeout_seconds: float
) -> bool:
    """Whether the URL answered with 200 before the process ended or the time was up."""
    deadline = asyncio.get_running_loop().time() + timeout_seconds
    async with ClientSession(timeout=ClientTimeout(total=2)) as session:
        while asyncio.get_running_loop().time() < deadline and process.returncode is None:
            try:
                async with session.get(url) as answer:
                    if answer.status == 200:
                        return True
            except (ClientError, TimeoutError):
                pass
            await asyncio.sleep(0.05)
    return False


@dataclass
class Program:
    """One role (``pds``, ``plc``, ``web`` …) with its environment. ``ready_url`` answers with 200 when it is ready."""

    role: str
    environment: dict[str, str]
    log: Path
    ready_url: str | None = None
    arguments: list[str] = field(default_factory=list)
    process: asyncio.subprocess.Process | ForkedCommand | None = None

    async def start(self, timeout_seconds: float = 180) -> None:
        """Start the program and wait until it is ready."""
        arguments, environment = [self.role, *self.arguments], fork_server.inherited_environment() | self.environment
        with self.log.open("ab") as log:
            if fork_server.is_enabled:
                self.process = fork_server.FORK_SERVER.start(arguments, environment, log.fileno(), log.fileno())
            else:
                self.process = await asyncio.create_subprocess_exec(
                    OPENMEET, *arguments, env=environment, stdout=log, stderr=log
                )
        if self.ready_url and not await wait_until_ready(self.process, self.ready_url, timeout_seconds):
            raise DidNotStart(f"{self.role} is not ready (exit {self.process.returncode}):\n{self.said()[-4000:]}")

    def said(self) -> str:
        """Everything that the program has printed so far."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    async def heard(self, pattern: re.Pattern[str], timeout_seconds: float = 90) -> str:
        """Wait until the output matches the pattern, and return its first group."""
        deadline = asyncio.get_running_loop().time() + timeout_seconds
        while asyncio.get_running_loop().time() < deadline:
            if found := pattern.search(self.said()):
                return found[1]
            await asyncio.sleep(0.05)
        raise DidNotStart(f"{self.role} did not print {pattern.pattern}:\n{self.said()[-4000:]}")

    async def kill(self) -> None:
        """``kill -9``, without any clean-up."""
        assert self.process is not None
        if self.process.returncode is None:
            self.process.kill()
            await self.process.wait()

    async def stop(self, timeout_seconds: float = 60) -> int:
        """Stop the program as Ctrl-C does and return its exit status. It is killed if it takes too long."""
        if self.process is None:
            return 0
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGINT)
            try:
                await asyncio.wait_for(self.process.wait(), timeout_seconds)
            except TimeoutError:
                self.process.kill()
                await self.process.wait()
                raise AssertionError(
                    f"{self.role} did not stop within {timeout_seconds} s:\n{self.said()[-2000:]}"
                ) from None
        return self.process.returncode or 0
