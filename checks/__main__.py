"""Run all checks in parallel and print those that fail: ``python -m checks``."""

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from checks import house, types_cache

BIN = Path(sys.executable).parent

# Twice as fast on two cores. A third worker reads many modules again.
_MYPY_WORKERS = ["--num-workers", "2"]
# mypy gives its workers three seconds to start, which is too little on a busy machine.
_MYPY_WITHOUT_WORKERS = "Failed to establish connection with worker"

COMMANDS: dict[str, list[str]] = {
    "format": [str(BIN / "ruff"), "format", "--check", "--quiet", "src", "tests", "checks"],
    "lint": [str(BIN / "ruff"), "check", "--quiet", "src", "tests", "checks"],
    "types": [str(BIN / "mypy"), "--no-error-summary", *_MYPY_WORKERS],
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


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)


def main() -> int:
    """Run all checks. The exit status is 0 if all pass."""
    failed = False
    types_cache.forget_if_stale()
    with ThreadPoolExecutor(max_workers=len(COMMANDS) + 1) as pool:
        house_problems = pool.submit(house.problems)
        for name, passed, printed, seconds in pool.map(run, COMMANDS):
            print(f"{'ok  ' if passed else 'FAIL'} {name:8} {seconds:5.1f} s")
            if not passed:
                failed = True
                print(printed.rstrip())
    problems = house_problems.result()
    print(f"{'ok  ' if not problems else 'FAIL'} house")
    for problem in problems:
        print(f"  {problem}")
    return 1 if failed or problems else 0


if __name__ == "__main__":
    sys.exit(main())
