"""The pool of worker processes that all tests of a run share, as the parts of a program do. Starting one per test would
take too long.
"""

from groundwork.workers.limits import JobLimits
from groundwork.workers.pool import PoolLimits, WorkerPool

# Generous, because test machines are busy and one person in a test may send as many jobs as many people do.
POOL = WorkerPool(
    PoolLimits(
        processes=2, queue=1_000, cpu_seconds_per_person=1e9, job=JobLimits(cpu_seconds=120.0, wall_seconds=600.0)
    )
)
WORKERS = POOL.charged_to()
