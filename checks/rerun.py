"""Run failed tests again, once, each alone in a separate process. A test that passes then is reported as flaky.

The reasons, and which tests are never run again: docs/decisions/0116-run-failed-tests-again-alone.md.
"""

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# If more tests than this fail, the failures are not accidental, and no test is run again.
MAX_FAILURES = 6
# These tests search for rare failures, so a failure that does not occur again is still a real one.
SEARCHING = ("tests/simulation/", "tests/soak/")
FOLDER = Path("var/flaky")
# A test may take fifteen minutes (pyproject.toml), and the process may hang after that.
SECONDS = 1000.0
# How long an interrupted process may take to end what it has started.
END_SECONDS = 20.0

_PASSED = re.compile(r"^1 passed\b", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Failure:
    """A failure. ``name``: what failed. ``test``: pytest's id of the test, empty if it is not a test, such as a file
    that cannot be imported.
    """

    name: str
    test: str
    text: str


@dataclass(frozen=True, slots=True)
class FlakyTest:
    """A test that failed when run with others and passed alone. ``text``: how it failed."""

    test: str
    text: str
    file: Path


def tests_to_rerun(failures: Sequence[Failure]) -> list[str]:
    """The tests to run again: either all that failed or none."""
    tests = list(dict.fromkeys(failure.test for failure in failures))
    if len(tests) > MAX_FAILURES or not all(_may_be_run_again(failure) for failure in failures):
        return []
    return tests


def _may_be_run_again(failure: Failure) -> bool:
    return bool(failure.test) and not failure.test.startswith(SEARCHING)


def rerun_failed(
    failures: Sequence[Failure], options: Sequence[str], environment: Mapping[str, str]
) -> tuple[list[Failure], list[FlakyTest]]:
    """Run failed tests again. Returns the failures that remain and the flaky tests. A file about each flaky test
    is written to ``FOLDER``.
    """
    flaky: list[FlakyTest] = []
    for test in tests_to_rerun(failures):
        done = run_alone(test, options, environment)
        if has_passed(done):
            text = next(failure.text for failure in failures if failure.test == test)
            flaky.append(FlakyTest(test, text, _write(test, text)))
        else:
            print(f"\nFAILED again, alone: {test}\n{done.stdout[-20_000:]}", flush=True)
    passed = {one.test for one in flaky}
    return [failure for failure in failures if failure.test not in passed], flaky


def run_alone(test: str, options: Sequence[str], environment: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    """Run one test in a separate process. ``options``: further arguments for pytest."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, test]
    # Write to a file, not a pipe: a program that outlives the test would keep the pipe open, and reading it would never
    # end.
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            start_new_session=True,
        )
        try:
            process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            # On SIGABRT, faulthandler writes the stacks. A process that ignores the signal is killed.
            process.send_signal(signal.SIGABRT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
        except KeyboardInterrupt:
            interrupt([process])
            raise
        finally:
            kill_session(process)
        output.seek(0)
        return subprocess.CompletedProcess(command, process.returncode, output.read())


def interrupt(processes: Sequence["subprocess.Popen[bytes]"]) -> None:
    """Interrupt pytest processes, and wait until they have ended what they started. A second interruption, or
    ``END_SECONDS``, ends the wait.
    """
    for process in processes:
        process.send_signal(signal.SIGINT)
    ends = time.monotonic() + END_SECONDS
    with contextlib.suppress(KeyboardInterrupt):
        for process in processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, ends - time.monotonic()))


def kill_session(process: "subprocess.Popen[bytes]") -> None:
    """Kill a process that leads a session, and whatever it has started and not ended: servers, browsers, homeservers."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def has_passed(done: "subprocess.CompletedProcess[str]") -> bool:
    """Whether the test passed. A skipped test has not passed."""
    return done.returncode == 0 and _PASSED.search(done.stdout) is not None


def recorded_tests(folder: Path = FOLDER) -> list[str]:
    """The tests that have a file in the folder."""
    return sorted({file.read_text(encoding="utf-8").partition("\n")[0] for file in folder.glob("*.txt")})


def _write(test: str, text: str) -> Path:
    FOLDER.mkdir(parents=True, exist_ok=True)
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()
    file = FOLDER / (re.sub(r"[^\w.]+", "-", test)[-150:].strip("-") + ".txt")
    explanation = f"It failed together with others and passed alone, at commit {commit or 'unknown'}. How it failed:"
    file.write_text(f"{test}\n{explanation}\n\n{text}\n", encoding="utf-8")
    return file
