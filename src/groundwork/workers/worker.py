"""Handle of one worker process. It runs one job at a time and is killed if a job does not end properly.

It is not bound to an event loop: an idle worker can be used from any loop.
"""

import asyncio
import contextlib
import json
import os
import pickle
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from groundwork.workers.limits import MEBIBYTE, JobLimits, StopReason
from groundwork.workers.process import ANSWER_HEADER, HEADER, JobEnding, RaisedError

# The worker gets only a few environment variables and this program's own module path, so that it does not see secrets
# in the environment.
_BEGINNING: Final = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from groundwork.workers.process import main; "
    "main(int(sys.argv[2]))"
)
_ENVIRONMENT: Final = {"MALLOC_ARENA_MAX": "1", "LANG": "C.UTF-8"}
_KEPT_VARIABLES: Final = ("PYTHONTZPATH", "TZDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "COVERAGE_PROCESS_START")
_CHUNK: Final = 1 << 18
# Longer results are unpickled on a thread.
_LONG_RESULT: Final = MEBIBYTE
# A process that has ever used this much is replaced, because memory kept by the allocator would count against later
# jobs.
_LARGE_BYTES: Final = 256 * MEBIBYTE
# Small leaks of decoders end with their process.
_MAX_JOBS: Final = 500


@dataclass(frozen=True, slots=True)
class FinishedJob:
    """How a job ended: its value, the exception it raised, or why it was stopped. After a stopped job, its worker is
    still running or has ended unexpectedly.
    """

    cpu_seconds: float
    value: Any = None
    error: Exception | None = None
    stopped: StopReason | None = None


class Worker:
    """A worker process that was started. Raises OSError if the system cannot start another one."""

    def __init__(self) -> None:
        own_socket, child_socket = socket.socketpair()
        environment = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
        with contextlib.ExitStack() as on_failure, child_socket:
            on_failure.callback(own_socket.close)
            # Standard input shows the worker that this program is running. It is never written to, and the system
            # closes it when the program ends.
            self._process = subprocess.Popen(  # noqa: S603  # this interpreter, with our own module
                [
                    sys.executable,
                    "-I",
                    "-c",
                    _BEGINNING,
                    json.dumps([str(Path(entry).absolute()) for entry in sys.path]),
                    str(child_socket.fileno()),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                pass_fds=[child_socket.fileno()],
                env={**_ENVIRONMENT, **environment},
                cwd="/",
            )
            on_failure.pop_all()
        own_socket.setblocking(False)
        self._socket = own_socket
        self._is_asked = False
        self._is_killed = False
        self._jobs = 0
        self._most_bytes = 0

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    @property
    def is_worn(self) -> bool:
        """Whether the process has run so many jobs, or grown so large, that it should be replaced."""
        return self._jobs >= _MAX_JOBS or self._most_bytes >= _LARGE_BYTES

    async def run(self, job: Callable[[], Any], limits: JobLimits) -> FinishedJob:
        """Run one job. If it was stopped or the caller is cancelled, the caller must kill the worker."""
        self._jobs += 1
        self._is_asked = True
        started = time.monotonic()
        try:
            async with asyncio.timeout(limits.wall_seconds):
                return await self._exchange(job, limits)
        except TimeoutError:
            reason = StopReason.WALL_CLOCK
        except _ResultTooLarge:
            reason = StopReason.RESULT_SIZE
        except OSError:
            reason = await self._why_it_died()
        finally:
            self._is_asked = False
            if self._is_killed:
                self._socket.close()
        # A process that has ended does not report its processor time, but a job uses at most one processor.
        return FinishedJob(min(time.monotonic() - started, limits.cpu_seconds), stopped=reason)

    async def _exchange(self, job: Callable[[], Any], limits: JobLimits) -> FinishedJob:
        loop = asyncio.get_running_loop()
        request = pickle.dumps(job, pickle.HIGHEST_PROTOCOL)
        header = HEADER.pack(len(request), limits.memory_bytes, limits.cpu_seconds)
        await loop.sock_sendall(self._socket, header)
        await loop.sock_sendall(self._socket, request)
        del request
        size, cpu_seconds, self._most_bytes = ANSWER_HEADER.unpack(await self._received(ANSWER_HEADER.size))
        if size > limits.result_bytes:
            raise _ResultTooLarge
        body = await self._received(size)
        loaded = await asyncio.to_thread(pickle.loads, body) if size > _LONG_RESULT else pickle.loads(body)  # noqa: S301  # our own worker wrote it
        outcome, value = loaded
        match outcome:
            case JobEnding.DONE:
                return FinishedJob(cpu_seconds, value)
            case JobEnding.RAISED:
                assert isinstance(value, RaisedError)  # noqa: S101  # the other half of ``process``
                return FinishedJob(cpu_seconds, error=value.rebuilt())
            case JobEnding.MEMORY:
                return FinishedJob(cpu_seconds, stopped=StopReason.MEMORY)
            case _:
                return FinishedJob(cpu_seconds, stopped=StopReason.NESTING)

    async def _received(self, size: int) -> bytes:
        loop = asyncio.get_running_loop()
        received = bytearray()
        while len(received) < size:
            piece = await loop.sock_recv(self._socket, min(_CHUNK, size - len(received)))
            if not piece:
                raise ConnectionResetError("the worker process has ended")
            received += piece
        return bytes(received)

    async def _why_it_died(self) -> StopReason:
        status = await asyncio.to_thread(self._process.wait)
        if status == -signal.SIGXCPU:
            return StopReason.CPU
        # We did not kill it, so the system did, because it was out of memory.
        return StopReason.MEMORY if status == -signal.SIGKILL else StopReason.CRASH

    def kill(self) -> None:
        """Kill the process now. ``wait`` reaps it."""
        self._is_killed = True
        if self._is_asked:
            # This wakes the reader, which then closes the socket. Closing a socket while another thread reads it does
            # not wake that thread.
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
        else:
            self._socket.close()
        self._process.kill()

    def wait(self) -> None:
        """Reap a killed worker. For a large one, the system takes a moment."""
        self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()


class _ResultTooLarge(Exception):
    """The worker's answer is larger than allowed."""
