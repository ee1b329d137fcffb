"""Jobs in worker processes: their results, their limits, waiting, and clean-up."""

import asyncio
import mmap
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
from tests.groundwork.workers import jobs
from tests.polling import until
from tests.timeouts import TIMEOUT_SECONDS

from groundwork.errors import InvalidForm, TooMany, Unavailable
from groundwork.telemetry.metrics import Metrics
from groundwork.workers import worker
from groundwork.workers.limits import JobLimits, JobStopped, StopReason
from groundwork.workers.pool import MAX_WAITING, PoolLimits, WorkerPool
from groundwork.workers.quota import QuotaHolder

ANA, BEN = (QuotaHolder("person:ana"),), (QuotaHolder("person:ben"),)
QUICK = JobLimits(cpu_seconds=0.2, wall_seconds=60.0, memory_bytes=256 * 1024 * 1024)


@pytest.fixture
async def pool() -> AsyncIterator[WorkerPool]:
    made = WorkerPool(PoolLimits(processes=2, queue=6), Metrics("test"))
    yield made
    await made.close()


def outcomes(pool: WorkerPool) -> dict[str, float]:
    """The counter of jobs, by outcome."""
    assert pool._jobs is not None
    return {
        sample.labels["outcome"]: sample.value
        for family in pool._jobs.collect()
        for sample in family.samples
        if sample.name.endswith("_total")
    }


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return not Path("/proc/self").exists()


async def until_written(path: Path) -> int:
    """The id of the process that is busy now."""
    await until(lambda: path.exists() and bool(path.read_text()))
    return int(path.read_text())  # noqa: ASYNC240


async def until_gone(pid: int) -> None:
    await until(lambda: not is_running(pid))


async def busy(pool: WorkerPool, number: int) -> None:
    async with asyncio.timeout(TIMEOUT_SECONDS):
        while pool.running < number:  # noqa: ASYNC110  # a number tells nobody
            await asyncio.sleep(0)


async def test_no_process_starts_before_the_first_job(pool: WorkerPool) -> None:
    """The pool starts no process before the first job, so it costs nothing in a program that reads no files."""
    assert pool.pids == []
    assert await pool.run(partial(jobs.add, 2, 3)) == 5
    assert len(pool.pids) == 1


async def test_a_process_that_does_not_start_leaves_no_file_open(
    pool: WorkerPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_files = Path("/proc/self/fd") if Path("/proc/self/fd").exists() else Path("/dev/fd")  # noqa: ASYNC240  # asks the kernel, no disk
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    with pytest.raises(Unavailable):
        await pool.run(jobs.pid)
    before = len(list(open_files.iterdir()))
    for _ in range(3):
        with pytest.raises(Unavailable):
            await pool.run(jobs.pid)
    assert len(list(open_files.iterdir())) == before


async def test_a_process_is_used_again(pool: WorkerPool) -> None:
    """Successive jobs run in one process, which is not this one."""
    first, second = await pool.run(jobs.pid), await pool.run(jobs.pid)
    assert first == second != os.getpid()


async def test_one_process_is_kept_ready(pool: WorkerPool, monkeypatch: pytest.MonkeyPatch) -> None:
    """One process is kept ready before the first job, after a quiet minute, and after one was stopped, so that no job
    waits for a start.
    """
    monkeypatch.setattr("groundwork.workers.pool.IDLE_SECONDS", 0.01)

    async def ready() -> int:
        await until(lambda: bool(pool._idle))
        return pool._idle[-1][0].pid

    pool.keep_ready(["decimal", jobs.__name__])
    first = await ready()
    assert await pool.run(jobs.pid) == first
    await asyncio.gather(pool.run(jobs.pid), pool.run(jobs.pid))
    await until(lambda: len(pool.pids) == 1)
    assert pool.pids == [await ready()]
    with pytest.raises(JobStopped):
        await pool.run(jobs.spin, limits=QUICK)
    second = await ready()
    assert second != first
    assert await pool.run(jobs.pid) == second


async def test_a_process_is_used_again_by_a_large_program() -> None:
    """A worker is reused in a large program: the program's memory does not count as the worker's, although getrusage
    reports it so after fork and exec.
    """
    held = bytearray(worker._LARGE_BYTES + (64 << 20))
    held[:: mmap.PAGESIZE] = b"x" * len(held[:: mmap.PAGESIZE])
    pool = WorkerPool(PoolLimits(processes=1, queue=1))
    try:
        assert await pool.run(jobs.pid) == await pool.run(jobs.pid)
    finally:
        await pool.close()
        del held


async def test_a_worker_gets_no_secrets(pool: WorkerPool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker does not get the settings in the program's environment."""
    monkeypatch.setenv("OPENMEET_MAIL_URL", "smtp://user:secret@mail.example")
    found = await pool.run(jobs.environment)
    assert "secret" not in "".join(found.values())


async def test_own_error_is_raised_unchanged(pool: WorkerPool) -> None:
    """An error of ours is raised unchanged, with its kind, field and sentences, whatever parameters its constructor
    has. The worker continues.
    """
    before = await pool.run(jobs.pid)
    with pytest.raises(InvalidForm) as refused:
        await pool.run(jobs.refuse)
    assert refused.value.problems == {"file": "No.", "url": "Neither."}
    assert await pool.run(jobs.pid) == before


async def test_bug_has_the_workers_traceback(pool: WorkerPool) -> None:
    """For a bug, the worker's traceback is in the notes of the exception."""
    with pytest.raises(KeyError) as wrong:
        await pool.run(jobs.break_down)
    assert "break_down" in "".join(wrong.value.__notes__)


@pytest.mark.parametrize("job", [jobs.spin, jobs.hold_the_lock])
async def test_processor_time_is_bounded(pool: WorkerPool, job: object) -> None:
    """Processor time is limited, even for a job that blocks all threads of its process."""
    with pytest.raises(JobStopped) as stopped:
        await pool.run(job, limits=QUICK)  # type: ignore[arg-type]
    assert stopped.value.reason is StopReason.CPU
    assert await pool.run(partial(jobs.add, 1, 1)) == 2
    assert outcomes(pool) == {"cpu": 1, "done": 1}


async def test_wall_clock_is_bounded(pool: WorkerPool) -> None:
    """Wall-clock time is limited for a job that uses no processor time."""
    with pytest.raises(JobStopped) as stopped:
        await pool.run(partial(jobs.sleep, 600.0), limits=JobLimits(wall_seconds=0.01))
    assert stopped.value.reason is StopReason.WALL_CLOCK
    assert await pool.run(partial(jobs.add, 1, 1)) == 2


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS accepts the limit of the address space and ignores it")
async def test_memory_is_bounded(pool: WorkerPool) -> None:
    """A job that asks for too much memory is stopped; one that fits is not."""
    assert await pool.run(partial(jobs.allocate, 64), limits=QUICK) == 64 * 1024 * 1024
    with pytest.raises(JobStopped) as stopped:
        await pool.run(partial(jobs.allocate, 512), limits=QUICK)
    assert stopped.value.reason is StopReason.MEMORY


@pytest.mark.parametrize(
    ("job", "reason"),
    [
        (partial(jobs.nest, 1_000_000), StopReason.NESTING),
        (partial(jobs.answer_long, 3), StopReason.RESULT_SIZE),
        (jobs.die, StopReason.CRASH),
    ],
)
async def test_other_limits_stop_a_job(pool: WorkerPool, job: object, reason: StopReason) -> None:
    """Deep nesting, a result that is too long, or a decoder that crashes stops the job but not the pool."""
    with pytest.raises(JobStopped) as stopped:
        await pool.run(job, limits=JobLimits(result_bytes=2 * 1024 * 1024))  # type: ignore[arg-type]
    assert stopped.value.reason is reason
    assert await pool.run(partial(jobs.add, 1, 1)) == 2


async def test_one_person_cannot_occupy_every_process(pool: WorkerPool) -> None:
    """One person cannot occupy every process: while their job runs and more of theirs wait, another person's job goes
    first.
    """
    spinning = [asyncio.create_task(pool.run(partial(jobs.sleep, 600.0), holders=ANA)) for _ in range(3)]
    await busy(pool, 1)
    assert await pool.run(partial(jobs.add, 1, 1), holders=BEN) == 2
    assert (pool.running, pool.waiting) == (1, 2)
    for task in spinning:
        task.cancel()
    await asyncio.gather(*spinning, return_exceptions=True)
    assert (pool.running, pool.waiting) == (0, 0)


async def test_queued_jobs_per_person_are_limited(pool: WorkerPool) -> None:
    """The queued jobs per person are limited; TooMany contains the time to wait."""
    tasks = [asyncio.create_task(pool.run(partial(jobs.sleep, 600.0), holders=ANA)) for _ in range(1 + MAX_WAITING)]
    await busy(pool, 1)
    with pytest.raises(TooMany) as refused:
        await pool.run(jobs.pid, holders=ANA)
    assert refused.value.after_seconds > 0
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_the_queue_is_bounded(pool: WorkerPool) -> None:
    """The queue is limited for everybody; Unavailable contains the time to wait."""
    tasks = [
        asyncio.create_task(pool.run(partial(jobs.sleep, 600.0), holders=[QuotaHolder(f"person:{number}")]))
        for number in range(2 + 6)
    ]
    await busy(pool, 2)
    with pytest.raises(Unavailable) as refused:
        await pool.run(jobs.pid, holders=BEN)
    assert refused.value.after_seconds
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert outcomes(pool) == {"queue_full": 1, "cancelled": 2}


async def test_processor_time_allowance_is_used_up_and_refills() -> None:
    """Each person has an allowance of processor time, which refills; a person who has used it up waits."""
    now = [0.0]
    pool = WorkerPool(PoolLimits(processes=1, cpu_seconds_per_person=1.0), clock=lambda: now[0])
    try:
        with pytest.raises(JobStopped):
            await pool.run(jobs.spin, holders=ANA, limits=QUICK)
        pool._quota.charge(ANA, 1.0, now[0])
        with pytest.raises(TooMany) as refused:
            await pool.run(jobs.pid, holders=ANA)
        assert await pool.run(jobs.pid, holders=BEN)
        now[0] += refused.value.after_seconds
        assert await pool.run(jobs.pid, holders=ANA)
    finally:
        await pool.close()


async def test_job_ends_with_its_caller(pool: WorkerPool, tmp_path: Path) -> None:
    """If the caller is cancelled, the process of the job is killed."""
    path = tmp_path / "pid"
    task = asyncio.create_task(pool.run(partial(jobs.write_pid, str(path))))
    pid = await until_written(path)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until_gone(pid)


async def test_closing_ends_every_process_and_refuses_jobs(tmp_path: Path) -> None:
    """Closing ends every process, busy ones too, without waiting for their jobs, and refuses new jobs."""
    pool = WorkerPool()
    await pool.run(jobs.pid)
    path = tmp_path / "pid"
    task = asyncio.create_task(
        pool.run(partial(jobs.write_pid, str(path)), limits=JobLimits(wall_seconds=100 * TIMEOUT_SECONDS))
    )
    await until_written(path)
    pids = pool.pids
    await pool.close()
    with pytest.raises(Unavailable):
        async with asyncio.timeout(TIMEOUT_SECONDS):
            await task
    with pytest.raises(Unavailable):
        await pool.run(jobs.pid)
    assert pids
    assert not any(is_running(pid) for pid in pids)


@pytest.mark.parametrize("caller_goes", [False, True])
async def test_closing_ends_a_process_that_is_just_starting(caller_goes: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is just starting is ended and reaped before the pool is closed, whether or not somebody still
    waits for its job.
    """
    started: list[worker.Worker] = []
    may_start = threading.Event()

    def start() -> worker.Worker:
        may_start.wait(30)
        started.append(worker.Worker())
        return started[0]

    monkeypatch.setattr("groundwork.workers.pool.Worker", start)
    pool = WorkerPool()
    task = asyncio.create_task(pool.run(jobs.pid))
    await busy(pool, 1)
    await asyncio.sleep(0)
    if caller_goes:
        task.cancel()
    closing = asyncio.create_task(pool.close())
    await asyncio.sleep(0)
    may_start.set()
    await closing
    assert [one._process.returncode for one in started] == [-signal.SIGKILL]
    with pytest.raises(asyncio.CancelledError if caller_goes else Unavailable):
        await task
    assert pool.pids == []


PARENT = """
import asyncio, sys
from functools import partial
from groundwork.workers.pool import WorkerPool
from tests.groundwork.workers import jobs

async def main():
    pool = WorkerPool()
    idle = await pool.run(jobs.pid)
    asyncio.create_task(pool.run(partial(jobs.write_pid, sys.argv[1])))
    asyncio.create_task(pool.run(partial(jobs.write_pid, sys.argv[2])))
    await asyncio.sleep(600)

asyncio.run(main())
"""


async def test_no_worker_survives_a_parent_that_is_killed(tmp_path: Path) -> None:
    """No worker survives a parent killed by SIGKILL: idle and busy workers end by themselves."""
    paths = [tmp_path / "one", tmp_path / "other"]
    root = Path(__file__).parents[3]
    parent = subprocess.Popen(  # noqa: ASYNC220  # it is killed below
        [sys.executable, "-c", PARENT, *map(str, paths)], cwd=root
    )
    try:
        pids = [await until_written(path) for path in paths]
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    for pid in pids:
        await until_gone(pid)
