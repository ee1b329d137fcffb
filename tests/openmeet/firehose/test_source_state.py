"""The state of a source follows its connection, not only its messages."""

import asyncio
from collections.abc import Awaitable, Callable

from groundwork.errors import FailureReason
from openmeet.network.firehose import cursors
from openmeet.network.firehose.consumer import follow_source
from openmeet.network.firehose.cursors import SourceState
from openmeet.network.firehose.following import Consumer
from openmeet.network.firehose.jetstream import follow_jetstream
from tests.openmeet.firehose.conftest import Bench
from tests.openmeet.firehose.jetstream_server import JetstreamServer, serve_jetstream
from tests.simulation.relay import Relay
from tests.timeouts import TIMEOUT_SECONDS

Follow = Callable[[Consumer, str, asyncio.Event], Awaitable[None]]


async def _follow_until_open(bench: Bench, url: str, follow: Follow) -> cursors.StreamCursor:
    """Follow a source that failed before, until it counts as followed."""
    async with bench.db.transaction() as tx:
        await cursors.add_source(tx, url)
        await cursors.set_state(tx, url, SourceState.FAILING, FailureReason.STREAM_BROKEN())
    stop = asyncio.Event()
    following = asyncio.ensure_future(follow(bench.consumer, url, stop))
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            while True:
                async with bench.db.reader() as reader:
                    (source,) = await cursors.sources(reader)
                if source.state is SourceState.FOLLOWING:
                    return source
                await asyncio.sleep(0.01)
    finally:
        stop.set()
        await following


async def test_silent_pds_is_followed_as_soon_as_its_stream_is_open(bench: Bench):
    """A PDS that was restarted, and on which nobody writes, is not shown as failing until somebody does."""
    async with Relay([], []) as relay:
        source = await _follow_until_open(bench, relay.url, follow_source)
    assert (source.reason, source.cursor, source.seen_at) == (None, None, None)


async def test_silent_jetstream_is_followed_as_soon_as_its_stream_is_open(bench: Bench):
    async with serve_jetstream(JetstreamServer([])) as server:
        source = await _follow_until_open(bench, server.url, follow_jetstream)
    assert (source.reason, source.cursor, source.seen_at) == (None, None, None)
