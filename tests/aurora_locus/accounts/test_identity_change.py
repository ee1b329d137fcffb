"""A change of an identity that has begun is finished, whatever happens to the request."""

import asyncio

import pytest
from structlog.testing import capture_logs

from aurora_locus.accounts.identity_change import finish_even_if_cancelled


async def test_change_is_finished_although_it_is_cancelled_twice() -> None:
    """The client hangs up, and then the server stops."""
    may_end, has_ended = asyncio.Event(), asyncio.Event()

    async def change() -> None:
        await may_end.wait()
        has_ended.set()

    request = asyncio.create_task(finish_even_if_cancelled(change()))
    for _ in range(2):
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    may_end.set()
    await has_ended.wait()


async def test_failure_after_the_client_hung_up_is_logged() -> None:
    may_end = asyncio.Event()

    async def change() -> None:
        await may_end.wait()
        raise ValueError("the directory does not know this key")

    request = asyncio.create_task(finish_even_if_cancelled(change()))
    await asyncio.sleep(0)
    request.cancel()
    await asyncio.sleep(0)
    may_end.set()
    with capture_logs() as lines, pytest.raises(asyncio.CancelledError):
        await request
    assert [(line["event"], line["kind"]) for line in lines] == [("identity_change.failed", "ValueError")]
