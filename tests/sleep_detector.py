"""Fail tests that sleep, in the folders listed here: waiting for a clock makes a suite slow and proves nothing.

A slow test does not fail; a busy machine may take any time it needs. A test fails if a timer of more than 20 ms ran out
while the event loop had nothing to do, or if its thread called ``time.sleep`` for that long.

Folders whose tests open servers are not listed yet, because they poll while they wait for a slow machine.
"""

import selectors
import threading
import time
from collections.abc import Generator
from typing import Any

import pytest

CHECKED_FOLDERS = (
    "tests/at_protocol/",
    "tests/openmeet/records/",
    "tests/openmeet/recurrence/",
)
LONGEST_SECONDS = 0.02


class SleepRecorder:
    """How long the test thread has slept since the last call, in seconds."""

    def __init__(self) -> None:
        self._found: list[float] = []
        self._thread = threading.get_ident()

    def note(self, seconds: float) -> None:
        if seconds > LONGEST_SECONDS and threading.get_ident() == self._thread:
            self._found.append(seconds)

    def taken(self) -> list[float]:
        found, self._found = self._found, []
        return found


recorder = SleepRecorder()

_sleep = time.sleep
_select = selectors.DefaultSelector.select


def _noted_sleep(seconds: float) -> None:
    recorder.note(seconds)
    _sleep(seconds)


def _noted_select(self: Any, timeout: float | None = None) -> Any:
    ready = _select(self, timeout)
    if timeout is not None and not ready:
        recorder.note(timeout)
    return ready


time.sleep = _noted_sleep
selectors.DefaultSelector.select = _noted_select  # type: ignore[method-assign]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    recorder.taken()
    result = yield
    found = recorder.taken()
    if found and item.nodeid.startswith(CHECKED_FOLDERS):
        slept = ", ".join(f"{seconds:.3f}" for seconds in found[:10])
        pytest.fail(
            f"the test slept for {slept} s: give what it waits for a clock of the test's, or an event", pytrace=False
        )
    return result
