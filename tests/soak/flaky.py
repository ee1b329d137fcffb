"""Repeats each test that the suite has marked flaky fifty times, to see whether it still fails."""

import asyncio
import os
from pathlib import Path

from checks import rerun
from tests.external_dependencies import ROOT

TIMES = 50
# Alone these tests pass; they fail only when others run at the same time.
PARALLEL_RUNS = 4


async def repeat(folder: Path, seed: int, tests: list[str] | None = None) -> str:
    """Repeat ``tests``, or if it is None those that have a file in ``var/flaky``. Raises AssertionError with the
    number of failures.
    """
    tests = rerun.recorded_tests(ROOT / rerun.FOLDER) if tests is None else tests
    slots = asyncio.Semaphore(PARALLEL_RUNS)
    environment = os.environ | {"PYTHONHASHSEED": str(seed % (1 << 32))}

    async def once(test: str, number: int) -> str:
        async with slots:
            options = [f"--basetemp={folder / str(number)}"]
            done = await asyncio.to_thread(rerun.run_alone, test, options, environment)
        return "" if rerun.has_passed(done) else done.stdout

    for test in tests:
        failed_outputs = [
            output for output in await asyncio.gather(*(once(test, number) for number in range(TIMES))) if output
        ]
        if failed_outputs:
            raise AssertionError(
                f"{test}: {len(failed_outputs)} of {TIMES} runs failed, the first:\n{failed_outputs[0][-20_000:]}"
            )
    return f"{len(tests)} tests passed {TIMES} times"
