"""A sleep of the loop or of the thread is found; work and short waits are not counted."""

import asyncio
import time

import pytest

from tests.sleep_detector import LONGEST_SECONDS, recorder


async def wait_by_the_loop() -> None:
    await asyncio.sleep(2 * LONGEST_SECONDS)


async def wait_by_the_thread() -> None:
    time.sleep(2 * LONGEST_SECONDS)  # noqa: ASYNC251 — meant


async def run_into_a_limit() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(2 * LONGEST_SECONDS):
            await asyncio.Event().wait()


@pytest.mark.parametrize("pause", [wait_by_the_loop, wait_by_the_thread, run_into_a_limit])
async def test_sleep_is_found(pause) -> None:
    recorder.taken()
    await pause()
    assert max(recorder.taken()) > LONGEST_SECONDS


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
