"""The database of the installation is unreachable while a stream is read: nothing that was read is forgotten."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from groundwork.database.transaction import Database, DatabaseUnavailable, Transaction
from openmeet.network.firehose import cursors
from openmeet.network.records.collections import EVENT
from tests.external_dependencies import needs
from tests.openmeet.firehose.conftest import Bench, captured_frames, sequences
from tests.openmeet.firehose.frames import captured_dids, count_verified_repositories, follow_frames_until
from tests.openmeet.firehose.jetstream_server import (
    EVENT_TIME_US,
    JETSTREAM_AUTHOR,
    JetstreamServer,
    event_line,
    follow_jetstream_until,
    has_read_to,
    serve_jetstream,
)
from tests.simulation.relay import Relay

# Only the transaction that registers the source. The next one stores the first messages.
FIRST = 1


@dataclass
class _Away:
    """A database that refuses one transaction: the one that follows ``passes`` others."""

    db: Database
    passes: int

    def __getattr__(self, name: str) -> Any:
        return getattr(self.db, name)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        self.passes -= 1
        if self.passes == -1:
            raise DatabaseUnavailable("The database is away.")
        async with self.db.transaction() as tx:
            yield tx


async def test_authors_of_lines_are_followed_after_an_outage(bench: Bench):
    """Otherwise the deletion of this author's account would never be noticed."""
    bench.interested_in(("collection", EVENT))
    bench.consumer = replace(bench.consumer, db=_Away(bench.db, passes=FIRST))
    async with serve_jetstream(JetstreamServer([event_line("Tea", EVENT_TIME_US)])) as server:
        await follow_jetstream_until(bench, server.url, has_read_to(bench, server.url, EVENT_TIME_US))
    async with bench.db.reader() as reader:
        rows = await reader.fetch("select value from interests where kind = 'did'")
    assert [row["value"] for row in rows] == [JETSTREAM_AUTHOR]
    assert JETSTREAM_AUTHOR in bench.consumer.interests.followed


@needs("fixtures")
async def test_repositories_and_rejected_frames_are_stored_after_an_outage(bench: Bench):
    frames, numbers = captured_frames(), sequences(captured_frames())
    frames[10] = frames[10][:-9]
    bench.interested_in(*captured_dids())
    bench.consumer = replace(bench.consumer, db=_Away(bench.db, passes=FIRST))
    async with Relay(frames, numbers) as relay:
        await follow_frames_until(bench, relay.url, lambda source: source.cursor == numbers[-1])
    async with bench.db.reader() as reader:
        assert await cursors.count_rejected(reader) == 1
    assert await count_verified_repositories(bench) == 79
