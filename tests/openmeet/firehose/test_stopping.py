"""Following a stream ends when it is stopped, even if a message arrives at that moment."""

import asyncio

from openmeet.network.firehose.following import FollowedStream
from openmeet.network.firehose.jetstream import ParsedLine, _Lines
from openmeet.network.firehose.repo_stream import RepoStream
from tests.openmeet.firehose.conftest import Bench

URL = "wss://stream.example"
# Rounds of the event loop until a task waits for messages, or has ended.
ROUNDS = 20


async def started(stream: FollowedStream) -> asyncio.Task[None]:
    """Its drain, which waits for messages."""
    draining = asyncio.create_task(stream.drain())
    await rounds()
    return draining


async def rounds() -> None:
    for _ in range(ROUNDS):
        await asyncio.sleep(0)


async def test_a_commit_at_the_moment_of_the_stop_does_not_undo_it(bench: Bench):
    """``asyncio.wait_for`` of Python 3.11 swallows a cancellation if what it waits for has just happened. The consumer
    then went on, and whoever had stopped it waited forever.
    """
    stream = RepoStream(bench.consumer, URL, None, None)
    draining = await started(stream)
    stream._has_work.set()
    draining.cancel()
    await rounds()
    assert draining.cancelled()


async def test_a_line_at_the_moment_of_the_stop_does_not_undo_it(bench: Bench):
    """The same for a Jetstream server."""
    stream = _Lines(bench.consumer, URL, None, None, None)
    draining = await started(stream)
    stream._pending.put_nowait(ParsedLine(1))
    draining.cancel()
    await rounds()
    assert draining.cancelled()
