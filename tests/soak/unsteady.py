"""Tests that a run of the suite has named unsteady, fifty times each: whether they are steady now."""

import asyncio
import os
from pathlib import Path

from checks import second_look
from tests.parts import ROOT

TIMES = 50
# Alone they pass; what they need to fail is company.
AT_ONCE = 4


async def repeat(folder: Path, seed: int, tests: list[str] | None = None) -> str:
    """``tests``: those that have a file in ``var/unsteady``, if none are given. Raises AssertionError with how often one failed."""
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
