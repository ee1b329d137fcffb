"""Runs every property test with new examples chosen by a seed. Each failure is a case to record."""

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

from tests.external_dependencies import ROOT
from tests.hypothesis_profiles import EXPLORING
from tests.soak.ledger import FailingCase

WORKERS = 2
# The limit of one run; the slowest test takes seconds.
MAX_SECONDS = 3600.0

# How Hypothesis introduces a failing example, and how the next paragraph starts after pytest's line prefix.
_EXAMPLE = re.compile(
    r"Failing (?:test case|explicit example): (.*?)(?=\n(?:E[ ]*)?(?:\n|You can reproduce)|\Z)", re.DOTALL
)
_FAILED = 1
"""The exit status of pytest when tests failed; anything higher means that it could not run them."""


class CasesFound(AssertionError):
    """Raised if property tests failed."""

    def __init__(self, cases: tuple[FailingCase, ...]) -> None:
        super().__init__(f"{len(cases)} failed, the first: {cases[0].test}")
        self.cases = cases


async def explore(folder: Path, seed: int, tests: str = "tests") -> str:
    """Run the property tests once. Raises CasesFound if some failed, and AssertionError if they could not run."""
    report = folder / "report.xml"
    command = [
        *(sys.executable, "-m", "pytest", "-q", "-m", "hypothesis", "-n", str(WORKERS), "-p", "no:cacheprovider"),
        *("--basetemp", str(folder / "tests"), "--junitxml", str(report)),
        *("--hypothesis-profile", EXPLORING, "--hypothesis-seed", str(seed), tests),
    ]
    # The order of sets varies with this seed, which has 32 bits.
    environment = os.environ | {"PYTHONHASHSEED": str(seed % (1 << 32))}

    def run() -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=MAX_SECONDS
        )

    done = await asyncio.to_thread(run)
    if done.returncode not in {0, _FAILED}:
        raise AssertionError(f"pytest ended with {done.returncode}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    cases = failing_cases(report.read_bytes(), seed)
    if cases:
        raise CasesFound(cases)
    return done.stdout.strip().splitlines()[-1]


def failing_cases(report: bytes, seed: int) -> tuple[FailingCase, ...]:
    """The failures of a report in JUnit's format, with the examples as Hypothesis prints them."""
    return tuple(
        FailingCase(f"{case.get('classname', '').replace('.', '/')}.py::{case.get('name')}", seed, example_in(told))
        for case in ET.fromstring(report).iter("testcase")
        for told in [next((one.text or "" for one in case if one.tag in {"failure", "error"}), None)]
        if told is not None
    )


def example_in(told: str) -> str:
    """The falsifying example as one line, or the last line of the output."""
    match = _EXAMPLE.search(told)
    if match is None:
        return (told.strip().splitlines() or ["nothing was said"])[-1]
    return " ".join(line.removeprefix("E").strip() for line in match[1].splitlines())
