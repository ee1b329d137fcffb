"""Fail tests that wait for a clock: that makes a suite slow and proves nothing.

A slow test does not fail; a busy machine may take any time it needs. A test fails if a timer of more than 20 ms, for
which its task or a task that it awaits was waiting, ran out while the event loop had nothing else to do, or if its
thread called ``time.sleep`` for that long. Waiting for a socket, a process, a thread or a database is no problem,
because they wake the loop. Timers of other tasks, such as those of a server, run beside the test.
"""

import asyncio
import gc
import inspect
import itertools
import selectors
import sys
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

LONGEST_SECONDS = 0.02

# Whole programs run there, often in other processes. Benchmarks and soak runs are not tests.
UNCHECKED_FOLDERS = tuple(
    f"tests/{folder}/" for folder in ("system", "simulation", "browser", "interop", "attack", "bench", "soak")
)

# Waits that do not count, by module and function, each with a reason: questions to other processes, which announce
# nothing, and tries that are repeated.
UNCOUNTED = {
    "groundwork.database.advisory_locks:AdvisoryLocks._take": "tries again while other processes have all connections",
    "groundwork.database.postgres:PostgresDatabase.write": "retries after a conflict with another transaction",
    "groundwork.outbox.dispatcher:run": "looks for jobs that another process has stored",
    "groundwork.telemetry.probes:Probes._again": "repeats a health check",
    "groundwork.workers.pool:WorkerPool._retire_idle": "ends worker processes that nobody uses",
    "aurora_locus.repository.commit:commit": "tries again after another process has written to the repository",
    "aurora_locus.sequencer.live_events:_poll": "looks for events that another process has stored",
    "openmeet.network.repositories.sessions:renew": "asks whether another process has renewed the session",
    "openmeet.network.publishing.schedule:run": "looks for publications that another process has stored",
    "openmeet.web.site.chat_stream_feed:ChatStreamFeed._feed": "looks for messages that another process has stored",
    "openmeet.web.site.page_streams:PageStreams._feed": "looks for changes that another process has stored",
    "programs.community_databases:_Opening.open_when_available": "asks whether the database of a community answers",
    "programs.doctor.stream:messages": "listens to another server until that is silent",
    "subprocess:Popen._wait": "asks whether a process has ended",
    "tests.openmeet.interleaving:run_actions_interleaved": "nobody sees whether the other transaction waits",
    "tests.polling:until": "asks for what nothing announces",
    "tests.simulation.processes:wait_until_ready": "asks a program whether it is ready",
    "tests.simulation.processes:Program.heard": "reads what a program prints into a file",
    "tests.system.tour.polling:eventually": "asks other programs for a result",
    "tests.aurora_locus.reference_import.conftest:frames_since": "no frame says that it is the last one",
}

# Tests that may wait for a clock, each with a reason.
ALLOWED = {
    "tests/at_network/test_jetstream_stream.py::test_server_that_answers_no_ping_is_disconnected": (
        "aiohttp waits half the interval of its pings for a pong, and a busy machine needs that"
    ),
    "tests/groundwork/database/test_batch_by_key_failing.py::test_slow_member_does_not_affect_the_others": (
        "the limit of the transaction must leave the other members time on a busy machine"
    ),
    "tests/openmeet/ingestion/test_quarantine.py::test_a_slow_database_quarantines_nothing": (
        "the limit of the transaction must leave the other statements time on a busy machine"
    ),
    "tests/openmeet/matrix/test_many_rooms.py::test_kills_lose_and_duplicate_nothing": "people write while the bridge is killed",
    "tests/openmeet/matrix/test_outages.py::test_a_killed_homeserver_only_causes_a_delay": "the homeserver is away for a while",
    "tests/openmeet/webhooks/test_hostile_answers.py::test_slow_servers_delay_nobody": (
        "slow servers run into the limit of real requests, which the good server must not"
    ),
    "tests/groundwork/database/test_limits.py::test_a_transaction_that_was_given_up_before_its_block_began_says_so": (
        "the loop is blocked on purpose"
    ),
}

ROOT = Path(__file__).parent.parent


class Timer:
    """Who waits for a timer.

    ``names``: the functions, as ``module:qualified name``. ``where``: the innermost line of this repository.
    """

    def __init__(self, frames: Sequence[FrameType], name: str = "") -> None:
        self.names = {f"{frame.f_globals['__name__']}:{frame.f_code.co_qualname}" for frame in frames} or {name}
        ours = [
            f"{Path(frame.f_code.co_filename).relative_to(ROOT)}:{frame.f_lineno}"
            for frame in frames
            if _is_ours(frame.f_code.co_filename)
        ]
        self.where = ours[-1] if ours else ", ".join(sorted(self.names))


class SleepRecorder:
    """The waits of the test thread since the last call: how long in seconds, and where."""

    def __init__(self) -> None:
        self._found: list[tuple[float, str]] = []
        self._uncounted_seconds = 0.0
        self._thread = threading.get_ident()

    @property
    def is_watching(self) -> bool:
        return threading.get_ident() == self._thread

    def note(self, seconds: float, timer: Timer) -> None:
        """A timer ran out while nothing else happened."""
        if timer is _BESIDE or not timer.names.isdisjoint(UNCOUNTED):
            # The next timer may have been running meanwhile.
            self._uncounted_seconds += seconds
            return
        seconds += self._uncounted_seconds
        self._uncounted_seconds = 0.0
        if seconds > LONGEST_SECONDS:
            self._found.append((seconds, timer.where))

    def note_event(self) -> None:
        self._uncounted_seconds = 0.0

    def taken(self) -> list[tuple[float, str]]:
        found, self._found, self._uncounted_seconds = self._found, [], 0.0
        return found


def _is_ours(file: str) -> bool:
    return file.startswith(f"{ROOT}/") and "site-packages" not in file


def _next_timer() -> Timer:
    """The timer that ended the wait of the running loop, without frames if it runs beside the test. Uses private
    attributes of asyncio's loop, futures and tasks.
    """
    loop: Any = asyncio.get_running_loop()
    handle = min((handle for handle in loop._scheduled if not handle._cancelled), default=None)
    task = next(_tasks_woken_by(handle), None) if handle is not None else None
    if task is None or task not in _tasks_of_the_test(loop):
        return _BESIDE
    return Timer(list(_frames(task.get_coro())))


def _tasks_of_the_test(loop: Any) -> "set[asyncio.Task[Any]]":
    """The task that runs the test, and those that it awaits, also in ``asyncio.gather``."""
    found: set[asyncio.Task[Any]] = set()
    waiters: list[Any] = [task for task in asyncio.all_tasks(loop) if _runs_the_test(task)]
    while waiters:
        waiter = waiters.pop()
        if isinstance(waiter, asyncio.Task):
            found.add(waiter)
            waiters.append(waiter._fut_waiter)  # type: ignore[attr-defined]
        else:
            waiters.extend(getattr(waiter, "_children", ()))
    return found


def _runs_the_test(task: "asyncio.Task[Any]") -> bool:
    """Whether AnyIO runs tests and fixtures in this task, or ``asyncio.run`` in a test has started it."""
    callbacks: Any = task._callbacks or ()  # type: ignore[attr-defined]
    return getattr(task.get_coro(), "__qualname__", "") == "TestRunner._run_tests_and_fixtures" or any(
        getattr(callback, "__name__", "") == "_run_until_complete_cb" for callback, _ in callbacks
    )


def _tasks_woken_by(handle: Any) -> "Iterator[asyncio.Task[Any]]":
    """The task that ``asyncio.sleep``, ``asyncio.wait`` or ``asyncio.timeout`` wakes."""
    futures = (one for one in handle._args or () if isinstance(one, asyncio.Future))
    callbacks: Iterator[Any] = itertools.chain.from_iterable(one._callbacks or () for one in futures)
    woken = [getattr(callback, "__self__", None) for callback, _ in callbacks]
    timed = getattr(getattr(handle._callback, "__self__", None), "_task", None)
    return (one for one in (*woken, timed) if isinstance(one, asyncio.Task))


def _frames(awaited: Any) -> Iterator[FrameType]:
    """The frames of a coroutine and of what it awaits, the innermost last."""
    while awaited is not None:
        if type(awaited).__name__ in {"async_generator_asend", "async_generator_athrow"}:
            awaited = next(one for one in gc.get_referents(awaited) if inspect.isasyncgen(one))
        frame = getattr(awaited, "cr_frame", None) or getattr(awaited, "ag_frame", None)
        if frame is not None:
            yield frame
        awaited = getattr(awaited, "cr_await", None) or getattr(awaited, "ag_await", None)


# The timer of a task that the test does not await.
_BESIDE = Timer([], "beside the test")

recorder = SleepRecorder()

_sleep = time.sleep
_select = selectors.DefaultSelector.select


def _noted_sleep(seconds: float) -> None:
    if recorder.is_watching:
        recorder.note(seconds, Timer([sys._getframe(1)]))
    _sleep(seconds)


def _noted_select(self: Any, timeout: float | None = None) -> Any:
    if not recorder.is_watching:
        return _select(self, timeout)
    ready = _select(self, timeout)
    if ready:
        recorder.note_event()
    elif timeout is not None and timeout > 0:
        # The loop has not taken the timer out of its queue yet. Looking for it is slow, and most waits end with an event.
        recorder.note(timeout, _next_timer())
    return ready


time.sleep = _noted_sleep
selectors.DefaultSelector.select = _noted_select  # type: ignore[method-assign]


def _watch(item: pytest.Item) -> Generator[None, Any, Any]:
    recorder.taken()
    result = yield
    found = recorder.taken()
    if found and not item.nodeid.startswith(UNCHECKED_FOLDERS) and item.nodeid.partition("[")[0] not in ALLOWED:
        waits = ", ".join(f"{seconds:.3f} s at {where}" for seconds, where in found[:10])
        advice = "wait for an event, or use a clock of the test's or a time limit of less than 20 ms"
        pytest.fail(f"the test waited for a clock, {waits}: {advice}", pytrace=False)
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, Any, Any]:
    return (yield from _watch(item))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    return (yield from _watch(item))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, Any, Any]:
    return (yield from _watch(item))
