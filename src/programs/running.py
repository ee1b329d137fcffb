"""Run a role: configure logs, one event loop (uvloop if available), and a clean stop within a time limit on Ctrl-C or
SIGTERM.
"""

import asyncio
import ctypes
import faulthandler
import gc
import os
import secrets
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from importlib import metadata

from groundwork.settings import SettingsRefused
from groundwork.telemetry.logs import LEVELS, LogFormat, configure

if sys.platform != "win32":
    from uvloop import new_event_loop
else:
    from asyncio import new_event_loop

VERSION = metadata.version("openmeet")

# M_MMAP_THRESHOLD of mallopt(3): larger blocks are mapped separately. Setting it also prevents glibc from raising it.
_M_MMAP_THRESHOLD = -3
_LARGE_BYTES = 4 << 20

# A process that was asked to stop ends within this time, even if clients, threads or the network hang. This is longer
# than the servers' grace period and shorter than the 30 seconds after which a service manager kills the process.
STOP_SECONDS = 25.0
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)

# Outgoing connections, and programs that do not ask for a certain port, get higher ones (Linux from 32768, others from
# 49152).
_LISTENING_PORTS = range(10_000, 32_768)


def run_until_stopped(work: Callable[[], Awaitable[None]]) -> None:
    """Run a role to its end, with logs as configured. Raises SettingsRefused.

    SIGINT and SIGTERM cancel it until it handles them itself (``stopping``), so that a role also ends cleanly while it
    is starting.
    """

    async def until_asked() -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  # the runner made one
        is_asked = False

        def cancel() -> None:
            nonlocal is_asked
            is_asked = True
            task.cancel()

        _on_stop_signals(cancel, STOP_SECONDS)
        try:
            await work()
        except asyncio.CancelledError:
            if not is_asked:
                raise

    _run(until_asked)


def run_command(work: Callable[[], Awaitable[None]]) -> None:
    """Run an operator's command. It logs warnings only, because its output is what it prints."""
    os.environ.setdefault("OPENMEET_LOG_LEVEL", "warning")
    _run(work)


def _run(work: Callable[[], Awaitable[None]]) -> None:
    _configure_logs()
    collect_garbage_rarely()
    _return_large_blocks()

    async def main() -> None:
        await work()

    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(main())


def _configure_logs() -> None:
    """Configure logs from ``OPENMEET_LOG_FORMAT`` and ``OPENMEET_LOG_LEVEL``. If no format is set, a terminal gets
    ``console``.
    """
    log_format = os.environ.get("OPENMEET_LOG_FORMAT") or ("console" if sys.stderr.isatty() else "json")
    level = os.environ.get("OPENMEET_LOG_LEVEL") or "info"
    problems = []
    if log_format not in set(LogFormat):
        problems.append(f"OPENMEET_LOG_FORMAT must be one of {', '.join(LogFormat)}.")
    if level not in LEVELS:
        problems.append(f"OPENMEET_LOG_LEVEL must be one of {', '.join(LEVELS)}.")
    if problems:
        raise SettingsRefused(problems)
    configure(LogFormat(log_format), level=level)


def collect_garbage_rarely() -> None:
    """Tune the garbage collector so that it does not block the event loop for tens of milliseconds under load.

    Caches hold many small values without cycles. By default, all of them are scanned every few hundred requests. For
    writes, the p99 is 110 ms by default and 35 ms with these thresholds. Imported modules are never garbage.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)


def _return_large_blocks() -> None:
    """Make glibc return blocks of some megabytes to the system when they are freed.

    By default it keeps the first block of each size for reuse, which costs 7 MiB per thread that has ever hashed a
    password.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)


@asynccontextmanager
async def stopping(within_seconds: float = STOP_SECONDS) -> AsyncIterator[asyncio.Event]:
    """An event that SIGINT and SIGTERM set. A second signal ends the process at once.

    After the first signal the process has ``within_seconds`` to end. If that is not enough, it prints the stack of each
    thread and ends with status 1. As after a crash, nothing that was acknowledged is lost.
    """
    stop = asyncio.Event()
    _on_stop_signals(stop.set, within_seconds)
    yield stop


def _on_stop_signals(begin: Callable[[], None], within_seconds: float) -> None:
    """The first SIGINT or SIGTERM begins a stop that takes at most ``within_seconds``. A second one ends the process at
    once.
    """
    loop = asyncio.get_running_loop()
    has_begun = False

    def asked(number: int) -> None:
        nonlocal has_begun
        if has_begun:
            os._exit(128 + number)
        has_begun = True
        # This runs in C on its own thread, so neither a blocked event loop nor a thread that is joined at interpreter
        # exit can delay it.
        faulthandler.dump_traceback_later(within_seconds, exit=True)
        begin()

    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, asked, number)


def free_ports(host: str) -> Iterator[int]:
    """Ports of this address on which nobody listens, each once. They stay free until a program asks for exactly them,
    because they are not among those that systems give to outgoing connections.

    They are in random order, so that two programs that look for one at the same time hardly choose the same.
    """
    return (
        port for port in secrets.SystemRandom().sample(_LISTENING_PORTS, len(_LISTENING_PORTS)) if _is_free(host, port)
    )


def _is_free(host: str, port: int) -> bool:
    try:
        socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
    except OSError:
        return False
    return True


async def wait_for_stop() -> None:
    """Return when the process is asked to stop."""
    async with stopping() as stop:
        await stop.wait()
