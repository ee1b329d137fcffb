"""The worker processes that all tests of a run share, as the parts of a program do: starting some for each test would take longest."""

from groundwork.workers.limits import JobLimits
from groundwork.workers.pool import PoolLimits, WorkerPool

# Wide: machines that run tests are busy, and one person of a test may send what many do.
POOL = WorkerPool(
    PoolLimits(
        processes=2, queue=1_000, cpu_seconds_per_person=1e9, job=JobLimits(cpu_seconds=120.0, wall_seconds=600.0)
    )
)
WORKERS = POOL.charged_to()
