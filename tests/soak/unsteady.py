"""Repeats each test that the suite has marked unsteady fifty times, to see whether it is steady now."""

import asyncio
import os
from pathlib import Path

from checks import second_look
from tests.parts import ROOT

TIMES = 50
# Alone these tests pass; they fail only when others run at the same time.
AT_ONCE = 4


async def repeat(folder: Path, seed: int, tests: list[str] | None = None) -> str:
    """Repeat ``tests``, or if it is None those that have a file in ``var/unsteady``. Raises AssertionError with the
    number of failures.
    """
    tests = second_look.recorded_tests(ROOT / second_look.FOLDER) if tests is None else tests
    free = asyncio.Semaphore(AT_ONCE)
    environment = os.environ | {"PYTHONHASHSEED": str(seed % (1 << 32))}

    async def once(test: str, number: int) -> str:
        async with free:
            options = [f"--basetemp={folder / str(number)}"]
            done = await asyncio.to_thread(second_look.run_alone, test, options, environment)
        return "" if second_look.has_passed(done) else done.stdout

    for test in tests:
        failed = [said for said in await asyncio.gather(*(once(test, number) for number in range(TIMES))) if said]
        if failed:
            raise AssertionError(f"{test}: {len(failed)} of {TIMES} runs failed, the first:\n{failed[0][-20_000:]}")
    return f"{len(tests)} tests passed {TIMES} times"
