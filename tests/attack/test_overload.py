"""A running installation under attack, at the small scale of the suite; ``make soak`` has the long one."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.attack import overload
from tests.attack.overload import children_of, peak_megabytes

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="attackers have addresses of their own, and memory is read from /proc"
)

# Allocates 64 MB, frees them, and has a child process.
_HOLDING = """
import subprocess, sys
held = b"x" * (64 << 20)
del held
with subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE) as below:
    print(below.pid, flush=True)
    sys.stdin.read()
    below.stdin.close()
"""


async def test_a_canary_is_served_while_everything_is_attacked(tmp_path: Path) -> None:
    """During all attacks at once, a canary is served, no write that was confirmed to it is lost, and no process exceeds
    its memory limit.
    """
    report = await overload.attack(tmp_path, overload.SHORT)
    assert report.served >= 5 * overload.SHORT.rounds


def test_peak_memory_and_child_processes_are_measured() -> None:
    """The peak memory of a process and its children are measured, so a bomb that ended before the check still counts."""
    command = [sys.executable, "-c", _HOLDING]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        below = int(process.stdout.readline())
        assert 64 <= peak_megabytes(process.pid) < 200
        assert children_of(process.pid) == [below]
        process.stdin.close()
    assert peak_megabytes(below) == 0
