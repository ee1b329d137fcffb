"""Every property test with examples that nobody has seen, chosen by a seed; what fails is a case to be written down."""

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

from tests.parts import ROOT
from tests.properties import EXPLORING
from tests.soak.ledger import FailingCase

WORKERS = 2
# Of one run; the slowest test takes seconds.
MOST_SECONDS = 3600.0

# How Hypothesis begins an example that fails, and how the next paragraph begins, behind the mark that pytest puts before each line.
_EXAMPLE = re.compile(
    r"Failing (?:test case|explicit example): (.*?)(?=\n(?:E[ ]*)?(?:\n|You can reproduce)|\Z)", re.DOTALL
)
_FAILED = 1
"""What pytest answers when tests failed; anything higher means that it could not run them."""


class CasesFound(AssertionError):
    """Property tests failed."""

    def __init__(self, cases: tuple[FailingCase, ...]) -> None:
        super().__init__(f"{len(cases)} failed, the first: {cases[0].test}")
        self.cases = cases


async def explore(folder: Path, seed: int, tests: str = "tests") -> str:
    """Run them once. Raises CasesFound, and AssertionError where they could not be run."""
    report = folder / "report.xml"
    command = [
        *(sys.executable, "-m", "pytest", "-q", "-m", "hypothesis", "-n", str(WORKERS), "-p", "no:cacheprovider"),
        *("--basetemp", str(folder / "tests"), "--junitxml", str(report)),
        *("--hypothesis-profile", EXPLORING, "--hypothesis-seed", str(seed), tests),
    ]
    # The order of sets is part of what is tried; its seed has 32 bits.
    environment = os.environ | {"PYTHONHASHSEED": str(seed % (1 << 32))}

    def run() -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=MOST_SECONDS
        )

    done = await asyncio.to_thread(run)
    if done.returncode not in {0, _FAILED}:
        raise AssertionError(f"pytest ended with {done.returncode}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    cases = failing_cases(report.read_bytes(), seed)
    if cases:
        raise CasesFound(cases)
    return done.stdout.strip().splitlines()[-1]


def failing_cases(report: bytes, seed: int) -> tuple[FailingCase, ...]:
    """What failed, of a report in JUnit's form, with the example as Hypothesis prints it."""
    return tuple(
        FailingCase(f"{case.get('classname', '').replace('.', '/')}.py::{case.get('name')}", seed, example_in(told))
        for case in ET.fromstring(report).iter("testcase")
        for told in [next((one.text or "" for one in case if one.tag in {"failure", "error"}), None)]
        if told is not None
    )


def example_in(told: str) -> str:
    """The falsifying example in one line, or the last line of what was said."""
    match = _EXAMPLE.search(told)
    if match is None:
        return (told.strip().splitlines() or ["nothing was said"])[-1]
    return " ".join(line.removeprefix("E").strip() for line in match[1].splitlines())
