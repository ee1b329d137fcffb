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
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def run_until_stopped(work: Callable[[], Awaitable[None]]) -> None:
    """Run a role to its end, its logs as the environment says. Raises SettingsRefused.

    SIGINT and SIGTERM cancel it until it waits for them itself (``stopping``): also a role that is still starting ends cleanly.
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
    """Run an operator's command; its log holds warnings only, because its output is what it prints."""
    os.environ.setdefault("OPENMEET_LOG_LEVEL", "warning")
    _run(work)


def _run(work: Callable[[], Awaitable[None]]) -> None:
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


@asynccontextmanager
async def stopping(within_seconds: float = STOP_SECONDS) -> AsyncIterator[asyncio.Event]:
    """An event that SIGINT and SIGTERM set; a second signal ends the process at once, for who cannot wait.

    From the first signal on the process has ``within_seconds`` to live. Where that is not enough it says what each
    thread was doing and ends with status 1: as after a crash, nothing that was acknowledged is lost.
    """
    stop = asyncio.Event()
    _on_stop_signals(stop.set, within_seconds)
    yield stop


def _on_stop_signals(begin: Callable[[], None], within_seconds: float) -> None:
    """Have the first SIGINT or SIGTERM begin a stop of at most ``within_seconds``, and a second one end the process at once."""
    loop = asyncio.get_running_loop()
    has_begun = False

    def asked(number: int) -> None:
        nonlocal has_begun
        if has_begun:
            os._exit(128 + number)
        has_begun = True
        # In C, on a thread of its own: neither a blocked loop nor a thread that interpreters wait for at exit holds it up.
        faulthandler.dump_traceback_later(within_seconds, exit=True)
        begin()

    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, asked, number)


def free_port(host: str) -> int:
    """A port of this address that nobody listens on now."""
    with socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        return int(probe.getsockname()[1])


async def wait_for_stop() -> None:
    """Return when somebody asks the process to stop."""
    async with stopping() as stop:
        await stop.wait()
