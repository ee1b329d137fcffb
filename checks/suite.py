"""The whole suite on several workers; the few that failed beside others are then looked at alone: ``python -m checks.suite``.

A test that passes alone is named, loudly, as unsteady: it is a defect of the test or a race in the code, and somebody's next
work. It does not undo what all the others have shown. More than ``MOST`` failures are never looked at twice, and neither are
the tests whose failures are evidence however seldom they come: docs/decisions/0027-unsteady-tests-are-named.md.
"""

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

MOST = 3
# Seeds fix what these do, not what sockets and threads do in between: a disagreement that went away was one.
NEVER_TWICE = ("tests/world/", "tests/soak/")
LAST_FAILED = Path(".pytest_cache/v/cache/lastfailed")

# Every commit of a database waits for the disk, tens of thousands of times; what lies in memory is as safe from a program's end.
MEMORY = Path("/dev/shm")
ROOM_BYTES = 4 << 30

_FAILED = 1
"""What pytest answers when tests failed; anything higher means that it could not run them."""


def main() -> int:
    """The exit status of pytest, or 0 when each of the few that failed passed alone."""
    parser = argparse.ArgumentParser(prog="python -m checks.suite", description=__doc__)
    parser.add_argument("--workers", type=int, default=4)
    workers = parser.parse_args().workers
    status = _pytest("--cache-clear", "-n", str(workers))
    if status != _FAILED:
        return status
    failed = sorted(json.loads(LAST_FAILED.read_text(encoding="utf-8")))
    if not worth_a_second_look(failed):
        return status
    print(f"\n{len(failed)} failed beside others. Once more, alone:\n", flush=True)
    if _pytest(*failed):
        return status
    print("\nUNSTEADY, mend them: these failed beside others and passed alone", file=sys.stderr)
    for name in failed:
        print(f"  {name}", file=sys.stderr)
    return 0


def worth_a_second_look(failed: list[str]) -> bool:
    """Whether these may have failed because of the company they ran in."""
    return 0 < len(failed) <= MOST and not any(name.startswith(NEVER_TWICE) for name in failed)


@contextlib.contextmanager
def folder_of_tests() -> Iterator[list[str]]:
    """What tells pytest to put its folders into memory, where there is room; they go with the run."""
    if not MEMORY.is_dir() or shutil.disk_usage(MEMORY).free < ROOM_BYTES:
        yield []
        return
    with tempfile.TemporaryDirectory(prefix="openmeet-tests-", dir=MEMORY, ignore_cleanup_errors=True) as folder:
        yield ["--basetemp", f"{folder}/tests"]


def _pytest(*arguments: str) -> int:
    # Without them each worker, and each program that a test starts, compiles all it imports anew.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with folder_of_tests() as folder:
        command = [sys.executable, "-m", "pytest", "-q", *folder, *arguments]
        return subprocess.run(command, check=False, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main())
