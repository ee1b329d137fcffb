"""Following a source of frames, and what the consumer knows afterwards."""

import asyncio
from collections.abc import Callable

from at_protocol.sync.events import AccountMessage
from at_protocol.sync.events import encode as encode_frame
from openmeet.network.firehose import cursors
from openmeet.network.firehose.consumer import follow_source
from tests.openmeet.firehose.conftest import Bench, captured_documents
from tests.timeouts import TIMEOUT_SECONDS


def captured_dids() -> list[tuple[str, str]]:
    return [("did", did) for did in captured_documents()]


def account_frame(seq: int) -> bytes:
    message = AccountMessage(seq, next(iter(captured_documents())), "2026-07-04T20:00:00Z", active=True)
    return encode_frame(message)


async def count_verified_repositories(bench: Bench) -> int:
    async with bench.db.reader() as reader:
        row = await reader.fetch_one("select count(*) as n from verified_repositories")
    return int(row["n"])


async def follow_frames_until(
    bench: Bench, url: str, is_done: Callable[[cursors.StreamCursor], bool]
) -> cursors.StreamCursor:
    """Follow a source until its stored state satisfies the condition."""
    stop = asyncio.Event()
    following = asyncio.create_task(follow_source(bench.consumer, url, stop))
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            while True:
                async with bench.db.reader() as reader:
                    sources = await cursors.sources(reader)
                if sources and is_done(sources[0]):
                    return sources[0]
                await asyncio.sleep(0.01)
    finally:
        stop.set()
        await following
