"""Main loop inside a worker process: take a job, enforce its limits, send the answer, repeat.

It imports only the standard library until a job names its function. It ends with its parent: an idle worker notices
that its socket was closed, a busy one has a thread that notices the end of standard input, and a job that blocks all
threads ends at its processor limit.

A request is ``HEADER`` and a pickled function without arguments. An answer is ``ANSWER_HEADER`` and a pickled pair
of a ``JobEnding`` and the value or, for RAISED, a ``RaisedError``.
"""

import contextlib
import importlib
import os
import pickle
import resource
import signal
import socket
import struct
import sys
import threading
import traceback
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

# Length of the job, bytes of address space, seconds of processor time.
HEADER: Final = struct.Struct(">QQd")
# Length of the answer, processor seconds of the job, peak memory of the process in bytes.
ANSWER_HEADER: Final = struct.Struct(">QdQ")

_CHUNK: Final = 1 << 20


class JobEnding(StrEnum):
    """How a job ended, as seen by the worker."""

    DONE = "done"
    RAISED = "raised"
    MEMORY = "memory"
    NESTING = "nesting"


@dataclass(frozen=True, slots=True)
class RaisedError:
    """An exception to be raised in the parent. Exceptions can be passed whatever arguments their constructors take."""

    kind: type[Exception]
    arguments: tuple[Any, ...]
    attributes: dict[str, Any]
    trace: str

    def rebuilt(self) -> Exception:
        """Return the exception with the worker's traceback as a note."""
        error = self.kind.__new__(self.kind)
        error.args = self.arguments
        error.__dict__.update(self.attributes)
        error.add_note(f"In a worker process:\n{self.trace}")
        return error


def main(descriptor: int) -> None:
    """Serve jobs until the parent closes its end."""
    # A worker ignores signals. The parent gets them too, finishes running jobs and then ends its workers.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with socket.socket(fileno=descriptor) as parent:
        while header := _received(parent, HEADER.size):
            size, memory_bytes, cpu_seconds = HEADER.unpack(header)
            started = _limit(memory_bytes, cpu_seconds)
            body = _answer(parent, size)
            usage = resource.getrusage(resource.RUSAGE_SELF)
            spent = usage.ru_utime + usage.ru_stime - started
            parent.sendall(ANSWER_HEADER.pack(len(body), spent, _most_bytes()))
            parent.sendall(body)
            del body


def import_modules(names: tuple[str, ...]) -> None:
    """The job that is run to get a process ready."""
    for name in names:
        importlib.import_module(name)


def _end_with_parent() -> None:
    while os.read(0, 1):
        pass
    os._exit(0)


def _limit(memory_bytes: int, cpu_seconds: float) -> float:
    """Set the limits of the next job. Returns the processor time used before it."""
    _set_limit(resource.RLIMIT_AS, memory_bytes)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    used = usage.ru_utime + usage.ru_stime
    # The kernel counts whole seconds of the whole process, and sends SIGXCPU at any point of the job.
    _set_limit(resource.RLIMIT_CPU, int(used + cpu_seconds) + 1)
    return used


def _set_limit(kind: int, limit: int) -> None:
    """Set only the soft limit, so that the next job can have another one. Never exceeds the program's own limit."""
    hard = resource.getrlimit(kind)[1]
    allowed = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
    with contextlib.suppress(ValueError, OSError):  # macOS does not enforce RLIMIT_AS and rejects some values
        resource.setrlimit(kind, (allowed, hard))


def _answer(parent: socket.socket, size: int) -> bytes:
    try:
        job = pickle.loads(_received(parent, size))  # noqa: S301  # our own parent wrote it
        return pickle.dumps((JobEnding.DONE, job()), pickle.HIGHEST_PROTOCOL)
    except MemoryError:
        outcome = JobEnding.MEMORY
    except RecursionError:
        outcome = JobEnding.NESTING
    except Exception as error:  # noqa: BLE001  # an edge: the parent gets it
        return _raised(error)
    # Outside of the exception handlers, where the job's memory has been freed.
    return pickle.dumps((outcome, None))


def _raised(error: Exception) -> bytes:
    trace = "".join(traceback.format_exception(error, limit=-20))[-20_000:]
    try:
        body = pickle.dumps((JobEnding.RAISED, RaisedError(type(error), error.args, dict(error.__dict__), trace)))
        pickle.loads(body)  # noqa: S301  # checks that the parent can unpickle it
    except Exception:  # noqa: BLE001  # an exception's attributes might not be picklable
        body = pickle.dumps(
            (JobEnding.RAISED, RaisedError(RuntimeError, (f"{type(error).__name__}: {error}",), {}, trace))
        )
    return body


def _received(parent: socket.socket, size: int) -> bytes:
    """Read exactly this many bytes. Returns an empty result if the parent has closed its end."""
    received = bytearray()
    while len(received) < size:
        piece = parent.recv(min(_CHUNK, size - len(received)))
        if not piece:
            if received:
                os._exit(0)  # the parent ended in the middle of a request
            return b""
        received += piece
    return bytes(received)


def _most_bytes() -> int:
    """Return the peak memory of this process in bytes.

    On Linux, getrusage is not used: its value includes the memory of the parent at the time when it started this
    process. With a large parent, each worker would have to be replaced after one job.
    """
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as status:  # noqa: PTH123  # importing pathlib would take a tenth of the start time
            for line in status:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    max_rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return max_rss if sys.platform == "darwin" else max_rss * 1024
