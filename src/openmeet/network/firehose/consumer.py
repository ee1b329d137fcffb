"""The consumer: follows every configured event stream, and retries repositories whose identity could not be resolved."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from openmeet.network.firehose import cursors, unresolved
from openmeet.network.firehose.following import Consumer, follow_until
from openmeet.network.firehose.repo_stream import RepoStream
from openmeet.network.firehose.unresolved import RetryContext
from openmeet.network.firehose.upstreams import Upstream


async def run(consumer: Consumer, upstreams: Sequence[Upstream], stop: asyncio.Event) -> None:
    """Follow all sources until ``stop`` is set, and retry repositories whose identity could not be resolved."""
    await consumer.unresolved.load(consumer.db)
    retry_context = RetryContext(
        consumer.db,
        consumer.clock,
        consumer.verifier.dids,
        consumer.interests,
        consumer.tenant_queues,
        consumer.metrics,
        consumer.unresolved,
    )
    await asyncio.gather(
        unresolved.retry(retry_context, stop),
        *(
            follow_source(
                replace(consumer, verifier=replace(consumer.verifier, verification=one.verification)),
                one.url,
                stop,
                sender=one.sender,
                first_cursor=one.first_cursor,
            )
            for one in upstreams
        ),
    )


async def follow_source(
    consumer: Consumer, url: str, stop: asyncio.Event, *, sender: str | None = None, first_cursor: int | None = 0
) -> None:
    """Follow one source from its stored cursor until ``stop`` is set or the source does not recognize our cursor.

    For ``sender`` and ``first_cursor`` see ``Upstream``. By default the source is a relay, read from its oldest frame.
    """
    async with consumer.db.transaction() as tx:
        cursor = await cursors.add_source(tx, url, cursor=first_cursor)
    await consumer.unresolved.load(consumer.db)
    stream = RepoStream(consumer, url, cursor, sender)
    try:
        await follow_until(stop, stream, url)
    finally:
        stream.abandon()
