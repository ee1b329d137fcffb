"""How every role runs: logs configured, one event loop (uvloop where there is one), a clean stop on Ctrl-C or SIGTERM, bounded."""

import asyncio
import ctypes
import faulthandler
import gc
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib import metadata

from groundwork.settings import SettingsRefused
from groundwork.telemetry.logs import LEVELS, LogFormat, configure

if sys.platform != "win32":
    from uvloop import new_event_loop
else:
    from asyncio import new_event_loop

VERSION = metadata.version("openmeet")

# mallopt(3): from this size on a block is the system's own, and stays so.
_M_MMAP_THRESHOLD = -3
_LARGE_BYTES = 4 << 20

# A process that was asked to stop ends within this time whatever its clients, its threads and the network do. Longer than
# servers give to requests that run; shorter than the 30 seconds after which a service manager kills without a word.
STOP_SECONDS = 25.0


def run_until_stopped(work: Callable[[], Awaitable[None]]) -> None:
    """Run a role to its end, its logs as the environment says. Raises SettingsRefused."""
    _configure_logs()
    _collect_seldom()
    _return_large_blocks()

    async def main() -> None:
        await work()

    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(main())


def _configure_logs() -> None:
    """``OPENMEET_LOG_FORMAT`` and ``OPENMEET_LOG_LEVEL``; where no format is set, a terminal gets ``console``."""
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


def _collect_seldom() -> None:
    """Keep the collector of reference cycles from stopping the loop for tens of milliseconds under load.

    Caches hold many small values without cycles; by default each some hundred requests all of them are looked through
    (writes: p99 of 110 ms, 35 ms with these bounds). What was imported is never garbage.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)


def _return_large_blocks() -> None:
    """Have glibc give blocks of some megabytes back to the system when they are freed.

    By itself it keeps the first of each size for the next one: 19 MiB per thread that has once hashed a password.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)


def run_command(work: Callable[[], Awaitable[None]]) -> None:
    """Run an operator's command; its log holds warnings only, because its output is what it prints."""
    os.environ.setdefault("OPENMEET_LOG_LEVEL", "warning")
    run_until_stopped(work)


@asynccontextmanager
async def stopping(within_seconds: float = STOP_SECONDS) -> AsyncIterator[asyncio.Event]:
    """An event that SIGINT and SIGTERM set; a second signal ends the process at once, for who cannot wait.

    From the first signal on the process has ``within_seconds`` to live. Where that is not enough it says what each
    thread was doing and ends with status 1: as after a crash, nothing that was acknowledged is lost.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def asked(number: int) -> None:
        if stop.is_set():
            os._exit(128 + number)
        # In C, on a thread of its own: neither a blocked loop nor a thread that interpreters wait for at exit holds it up.
        faulthandler.dump_traceback_later(within_seconds, exit=True)
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, asked, number)
    yield stop


def free_port(host: str) -> int:
    """A port of this address that nobody listens on now."""
    with socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        return int(probe.getsockname()[1])


async def wait_for_stop() -> None:
    """Return when somebody asks the process to stop."""
    async with stopping() as stop:
        await stop.wait()
