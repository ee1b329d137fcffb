"""Jobs that tests give to workers."""

import os
import re
import time
from pathlib import Path

from groundwork.errors import InvalidForm


def add(one: int, other: int) -> int:
    return one + other


def pid() -> int:
    return os.getpid()


def environment() -> dict[str, str]:
    return dict(os.environ)


def spin() -> None:
    while True:
        pass


def hold_the_lock() -> None:
    """Block inside C code, so that neither another thread of the interpreter nor a signal handler can run."""
    re.match(r"(a+)+$", "a" * 60 + "b")


def sleep(seconds: float) -> None:
    time.sleep(seconds)


def allocate(megabytes: int) -> int:
    return len(bytearray(megabytes * 1024 * 1024))


def nest(depth: int) -> int:
    return 0 if not depth else 1 + nest(depth - 1)


def answer_long(megabytes: int) -> bytes:
    return b"x" * (megabytes * 1024 * 1024)


def refuse() -> None:
    raise InvalidForm({"file": "No.", "url": "Neither."})


def break_down() -> None:
    raise KeyError("a mistake of ours")


def die() -> None:
    os.abort()


def write_pid(path: str) -> None:
    """Write the process id, so that the test can look at the process while it is busy."""
    Path(path).write_text(str(os.getpid()))
    spin()
