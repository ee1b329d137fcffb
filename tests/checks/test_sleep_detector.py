"""A sleep of the loop or of the thread is found; work, short waits and waits that do not count are not."""

import asyncio
import importlib
import time
from collections.abc import AsyncIterator

import pytest

from tests import polling
from tests.external_dependencies import ROOT
from tests.sleep_detector import ALLOWED, LONGEST_SECONDS, UNCOUNTED, recorder


async def wait_by_the_loop() -> None:
    await asyncio.sleep(2 * LONGEST_SECONDS)


async def wait_by_the_thread() -> None:
    time.sleep(2 * LONGEST_SECONDS)  # noqa: ASYNC251 — meant


async def run_into_a_limit() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(2 * LONGEST_SECONDS):
            await asyncio.Event().wait()


async def wait_for_tasks() -> None:
    await asyncio.gather(asyncio.create_task(wait_by_the_loop()), asyncio.sleep(0))


async def wait_in_a_generator() -> None:
    async def values() -> AsyncIterator[int]:
        await asyncio.sleep(2 * LONGEST_SECONDS)
        yield 1

    assert [value async for value in values()] == [1]


@pytest.mark.parametrize(
    "pause", [wait_by_the_loop, wait_by_the_thread, run_into_a_limit, wait_for_tasks, wait_in_a_generator]
)
async def test_sleep_is_found(pause) -> None:
    recorder.taken()
    await pause()
    seconds, where = max(recorder.taken())
    assert seconds > LONGEST_SECONDS
    assert where.startswith("tests/checks/test_sleep_detector.py:")


def test_work_does_not_count_as_a_pause() -> None:
    """Work does not count, even if it takes long; here the loop waits for a thread. A separate loop keeps timers of
    other tests out.
    """
    recorder.taken()
    asyncio.run(work())
    assert recorder.taken() == []


async def work() -> None:
    await asyncio.to_thread(time.sleep, 2 * LONGEST_SECONDS)
    await asyncio.sleep(LONGEST_SECONDS / 4)


async def test_waits_that_do_not_count_are_only_left_out_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    """A timer that does not count is left out, and the wait of a test that it interrupts is not."""
    monkeypatch.setattr(polling, "_PAUSE_SECONDS", 2 * LONGEST_SECONDS)
    recorder.taken()
    answers = iter([False, True])
    await polling.until(lambda: next(answers))
    assert recorder.taken() == []
    answers = iter([False, True])
    beside = asyncio.create_task(polling.until(lambda: next(answers)))
    await asyncio.sleep(2.5 * LONGEST_SECONDS)
    await beside
    assert max(recorder.taken())[0] > 2 * LONGEST_SECONDS


async def test_timers_beside_a_test_do_not_count() -> None:
    """A server's timer runs out while the test waits for a thread."""
    beside = asyncio.create_task(wait_by_the_loop())
    recorder.taken()
    await asyncio.to_thread(time.sleep, 4 * LONGEST_SECONDS)
    assert beside.done()
    assert recorder.taken() == []


def test_every_exception_is_still_needed_by_something() -> None:
    """Each function whose waits do not count exists, and so does each test that may wait."""
    for name in UNCOUNTED:
        module, _, qualified = name.partition(":")
        found = importlib.import_module(module)
        for part in qualified.split("."):
            found = getattr(found, part)
    for test in ALLOWED:
        file, _, function = test.partition("::")
        assert f"def {function}(" in (ROOT / file).read_text(encoding="utf-8")
