"""Run all checks and print those that fail: ``python -m checks``. The types take longest, so they are checked beside
the other checks, which run one after the other.
"""

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from checks import house, types_cache

BIN = Path(sys.executable).parent

# Twice as fast on two cores. A third worker reads many modules again.
_MYPY_WORKERS = ["--num-workers", "2"]
# mypy gives its workers three seconds to start, which is too little on a busy machine.
_MYPY_WITHOUT_WORKERS = "Failed to establish connection with worker"

COMMANDS: dict[str, list[str]] = {
    "types": [str(BIN / "mypy"), "--no-error-summary", *_MYPY_WORKERS],
    "format": [str(BIN / "ruff"), "format", "--check", "--quiet", "src", "tests", "checks"],
    "lint": [str(BIN / "ruff"), "check", "--quiet", "src", "tests", "checks"],
    "imports": [str(BIN / "lint-imports"), "--no-logo"],
    "messages": [sys.executable, "-m", "checks.messages", "--check"],
}


def run(name: str) -> tuple[str, bool, str, float]:
    """Run one check. Returns its name, whether it passed, its output, and how many seconds it took."""
    started = time.monotonic()
    done = _run(COMMANDS[name])
    if _MYPY_WITHOUT_WORKERS in done.stdout + done.stderr:
        done = _run([word for word in COMMANDS[name] if word not in _MYPY_WORKERS])
    return name, done.returncode == 0, done.stdout + done.stderr, time.monotonic() - started


def run_house() -> tuple[str, bool, str, float]:
    """Check the house rules. Returns the same as ``run``."""
    started = time.monotonic()
    problems = house.problems()
    return "house", not problems, "\n".join(f"  {problem}" for problem in problems), time.monotonic() - started


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)


def main() -> int:
    """Run all checks. The exit status is 0 if all pass."""
    failed = False
    types_cache.forget_if_stale()
    with ThreadPoolExecutor() as of_types, ThreadPoolExecutor(max_workers=1) as of_others:
        running = [(of_types if name == "types" else of_others).submit(run, name) for name in COMMANDS]
        running.append(of_others.submit(run_house))
        for one in as_completed(running):
            name, passed, printed, seconds = one.result()
            print(f"{'ok  ' if passed else 'FAIL'} {name:8} {seconds:5.1f} s", flush=True)
            if not passed:
                failed = True
                print(printed.rstrip())
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
