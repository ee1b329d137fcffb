"""Pool of worker processes: a few processes, a bounded queue, fair shares, and a CPU quota per person or address.

Processes start with the first jobs, are reused, end after an idle time, and end with the program. If people wait for
the results of jobs, one process is kept ready (``keep_ready``). The pool is not bound to an event loop, and a program
needs only one.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final, TypeVar

from groundwork.errors import TooMany, Unavailable
from groundwork.telemetry.logs import log
from groundwork.telemetry.metrics import Metrics
from groundwork.workers.limits import JobLimits, JobStopped
from groundwork.workers.process import import_modules
from groundwork.workers.quota import Quota, QuotaHolder
from groundwork.workers.worker import FinishedJob, Worker

T = TypeVar("T")

IDLE_SECONDS: Final = 60.0
PATIENCE_SECONDS: Final = 60.0
# How many jobs one person or address may have in the queue.
MAX_WAITING: Final = 4
_RETRY_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """Limits of a pool. ``cpu_seconds_per_person`` applies to ten minutes (``quota``). ``job`` are the default limits
    of a job.
    """

    processes: int = 2
    queue: int = 24
    cpu_seconds_per_person: float = 60.0
    job: JobLimits = field(default_factory=JobLimits)


@dataclass(frozen=True, slots=True)
class ChargedPool:
    """A pool, and the holders whose quotas its jobs are charged to."""

    pool: "WorkerPool"
    holders: tuple[QuotaHolder, ...]

    async def run(self, job: Callable[[], T], limits: JobLimits | None = None) -> T:
        """Call ``WorkerPool.run``, charged to these holders."""
        return await self.pool.run(job, holders=self.holders, limits=limits)

    def require_quota(self) -> None:
        """Raise TooMany if a quota is used up, so that a file that could not be processed is not uploaded."""
        self.pool.require_quota(self.holders)


@dataclass(eq=False, slots=True)
class _WaitingCall:
    holders: Sequence[QuotaHolder]
    granted: asyncio.Future[None]


class WorkerPool:
    """Runs jobs in other processes. ``clock`` is monotonic, in seconds."""

    def __init__(
        self,
        limits: PoolLimits | None = None,
        metrics: Metrics | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.limits = limits or PoolLimits()
        self._clock = clock
        self._quota = Quota(self.limits.cpu_seconds_per_person)
        self._idle: list[tuple[Worker, float]] = []
        self._busy: set[Worker] = set()
        # Workers that were started and have no job yet. ``close`` ends those that are left.
        self._starting: set[asyncio.Future[Worker]] = set()
        self._running = 0
        self._running_of: Counter[str] = Counter()
        self._waiting: deque[_WaitingCall] = deque()
        # The job that imports the modules of the process that is kept ready; None if none is kept.
        self._ready: Callable[[], object] | None = None
        self._preparing: asyncio.Task[None] | None = None
        self._is_closed = False
        self._jobs = None
        if metrics is not None:
            metrics.gauge_of("worker_jobs_running", "Jobs running in worker processes", lambda: self._running)
            metrics.gauge_of("worker_jobs_waiting", "Jobs waiting for a worker process", lambda: len(self._waiting))
            self._jobs = metrics.counter("worker_jobs", "Jobs for worker processes, by outcome", ["outcome"])

    @property
    def running(self) -> int:
        """The number of jobs in progress."""
        return self._running

    @property
    def waiting(self) -> int:
        """The number of jobs in the queue."""
        return len(self._waiting)

    @property
    def pids(self) -> list[int]:
        """The ids of the current processes."""
        return [worker.pid for worker in (*self._busy, *(one for one, _ in self._idle))]

    async def run(
        self, job: Callable[[], T], *, holders: Sequence[QuotaHolder] = (), limits: JobLimits | None = None
    ) -> T:
        """Run a job in a worker process and return its value. ``job`` is a module-level function, or a ``partial`` of
        one.

        Raises JobStopped if it exceeded its limits, TooMany if a holder's quota or share of the queue is used up,
        Unavailable if the queue is full, and the exceptions of the job. Cancelling the caller kills the job.
        """
        result = await self._ended(job, tuple(holders), limits or self.limits.job)
        if result.stopped is not None:
            raise JobStopped(result.stopped)
        if result.error is not None:
            raise result.error
        value: T = result.value
        return value

    def keep_ready(self, modules: Sequence[str]) -> None:
        """Start a process that imports these modules, and keep such a process ready from then on.

        Starting a process takes seconds on a busy machine, mostly for imports. Without this, the first caller after a
        quiet minute, or after a job that was stopped, would wait for that.
        """
        self._ready = partial(import_modules, tuple(modules))
        self._prepare()

    def _prepare(self) -> None:
        if self._ready is not None and self._preparing is None and not self._idle and not self._is_closed:
            self._preparing = asyncio.create_task(
                self._prepare_one(self._ready), name="worker process to be kept ready"
            )

    async def _prepare_one(self, ready: Callable[[], object]) -> None:
        try:
            await self._ended(ready, (), self.limits.job)
        except (TooMany, Unavailable) as refused:
            # All processes are busy. The next one that finishes its job is kept.
            log.info("worker.not_prepared", why=str(refused))
        finally:
            self._preparing = None

    def require_quota(self, holders: Sequence[QuotaHolder]) -> None:
        """Raise TooMany if one of these holders has used up their quota."""
        self._quota.check(holders, self._clock())

    def charged_to(self, *holders: QuotaHolder) -> ChargedPool:
        """Return the same pool for jobs whose CPU time is charged to the quotas of these holders."""
        return ChargedPool(self, holders)

    async def close(self) -> None:
        """End every process, including those that are starting. Running jobs are stopped."""
        self._is_closed = True
        if self._preparing is not None:
            self._preparing.cancel()
            await asyncio.wait([self._preparing])
        for turn in self._waiting:
            turn.granted.cancel()
        workers = [*self._busy, *(worker for worker, _ in self._idle)]
        self._idle.clear()
        for worker in workers:
            worker.kill()
        starting, self._starting = self._starting, set()
        if starting:
            await asyncio.wait(starting)
        for started in starting:
            if started.exception() is None:
                started.result().kill()
                workers.append(started.result())
        for worker in workers:
            await asyncio.to_thread(worker.wait)

    async def _ended(self, job: Callable[[], object], holders: Sequence[QuotaHolder], limits: JobLimits) -> FinishedJob:
        try:
            self._quota.check(holders, self._clock())
            await self._turn(holders)
        except (TooMany, Unavailable) as refused:
            self._count("quota" if isinstance(refused, TooMany) else "queue_full")
            raise
        started = self._clock()
        # The processor time is unknown if the caller is cancelled.
        used_seconds: float | None = None
        try:
            result = await self._in_worker(job, limits)
            used_seconds = result.cpu_seconds
        except asyncio.CancelledError:
            self._count("cancelled")
            raise
        finally:
            now = self._clock()
            self._quota.charge(
                holders, min(now - started, limits.cpu_seconds) if used_seconds is None else used_seconds, now
            )
            self._release(holders)
        if self._is_closed and result.stopped is not None:
            raise _stopping()
        self._count(result.stopped.value if result.stopped is not None else "raised" if result.error else "done")
        return result

    async def _in_worker(self, job: Callable[[], object], limits: JobLimits) -> FinishedJob:
        worker = await self._take()
        self._busy.add(worker)
        is_fit = False
        try:
            result = await worker.run(job, limits)
            is_fit = result.stopped is None and not worker.is_worn and not self._is_closed
            if result.stopped is not None:
                log.warning("worker.job_stopped", reason=result.stopped.value, job=_name(job))
        finally:
            self._busy.discard(worker)
            if is_fit:
                self._keep(worker)
            else:
                _end(worker)
                if job is not self._ready:
                    self._prepare()
        return result

    async def _take(self) -> Worker:
        """Return the most recently used worker, or a new one. Raises Unavailable, also if the pool closes while one
        starts.
        """
        while self._idle:
            worker, _ = self._idle.pop()
            if worker.is_alive:
                return worker
            worker.kill()
            worker.wait()
        starting = asyncio.get_running_loop().run_in_executor(None, Worker)
        self._starting.add(starting)
        try:
            worker = await asyncio.shield(starting)
        except asyncio.CancelledError:
            starting.add_done_callback(self._keep_started)
            raise
        except OSError as error:
            self._starting.discard(starting)
            log.error("worker.not_started", why=str(error))
            raise Unavailable("Files cannot be read at the moment. Try again in a minute.", after_seconds=60) from None
        if self._is_closed:
            raise _stopping()  # ``close`` ends the worker
        self._starting.discard(starting)
        return worker

    def _keep_started(self, started: asyncio.Future[Worker]) -> None:
        """Called if the caller was cancelled while the worker started. The next caller gets the worker."""
        if self._is_closed:
            return  # ``close`` ends the worker
        self._starting.discard(started)
        if not started.cancelled() and started.exception() is None:
            self._keep(started.result())

    def _keep(self, worker: Worker) -> None:
        self._idle.append((worker, self._clock()))
        asyncio.get_running_loop().call_later(IDLE_SECONDS, self._retire_idle)

    def _retire_idle(self) -> None:
        """End workers that have been idle for a while."""
        since = self._clock() - IDLE_SECONDS
        # The process that is kept ready is the most recently used one.
        workers_to_keep = self._idle[-1:] if self._ready is not None else []
        retired = [
            worker for worker, idle_since in self._idle[: len(self._idle) - len(workers_to_keep)] if idle_since <= since
        ]
        self._idle = [one for one in self._idle if one[0] not in retired]
        for worker in retired:
            _end(worker)

    async def _turn(self, holders: Sequence[QuotaHolder]) -> None:
        """Wait until a process is free for these holders. Raises TooMany, Unavailable."""
        if self._is_closed:
            raise _stopping()
        if not self._waiting and self._may_run(holders):
            self._begin(holders)
            return
        waiting_of = Counter(holder.key for turn in self._waiting for holder in turn.holders)
        if any(waiting_of[holder.key] >= MAX_WAITING * holder.weight for holder in holders):
            why = "Several of your files are being read already. Wait until that is done, then send the next one."
            raise TooMany(why, after_seconds=_RETRY_SECONDS, name="TooManyAtOnce")
        if len(self._waiting) >= self.limits.queue:
            raise _too_busy()
        turn = _WaitingCall(holders, asyncio.get_running_loop().create_future())
        self._waiting.append(turn)
        self._grant()
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await turn.granted
        except BaseException as error:
            if turn in self._waiting:
                self._waiting.remove(turn)
            elif turn.granted.done() and not turn.granted.cancelled():
                self._release(holders)  # the process was granted at the same moment
            if isinstance(error, TimeoutError):
                raise _too_busy() from None
            raise

    def _may_run(self, holders: Sequence[QuotaHolder]) -> bool:
        """Whether a process is free for these holders. They may not occupy all processes: one is left for everyone
        else.
        """
        own_share = max(1, self.limits.processes - 1)
        return self._running < self.limits.processes and all(
            self._running_of[holder.key] < own_share for holder in holders
        )

    def _begin(self, holders: Sequence[QuotaHolder]) -> None:
        self._running += 1
        self._running_of.update(holder.key for holder in holders)

    def _release(self, holders: Sequence[QuotaHolder]) -> None:
        self._running -= 1
        for holder in holders:
            self._running_of[holder.key] -= 1
            if not self._running_of[holder.key]:
                del self._running_of[holder.key]
        self._grant()

    def _grant(self) -> None:
        """Give free processes to waiting callers in order, skipping holders that already have their share."""
        for turn in list(self._waiting):
            if self._running >= self.limits.processes:
                return
            if self._may_run(turn.holders) and not turn.granted.done():
                self._waiting.remove(turn)
                self._begin(turn.holders)
                turn.granted.set_result(None)

    def _count(self, outcome: str) -> None:
        if self._jobs is not None:
            self._jobs.labels(outcome).inc()


def _end(worker: Worker) -> None:
    worker.kill()
    asyncio.get_running_loop().run_in_executor(None, worker.wait)


def _too_busy() -> Unavailable:
    why = "Too many files are being read at the moment. Try again in a minute."
    return Unavailable(why, after_seconds=_RETRY_SECONDS, name="TooBusy")


def _stopping() -> Unavailable:
    return Unavailable("This server is about to restart. Try again in a minute.", after_seconds=_RETRY_SECONDS)


def _name(job: Callable[..., object]) -> str:
    function = job.func if isinstance(job, partial) else job
    return getattr(function, "__qualname__", type(function).__name__)
