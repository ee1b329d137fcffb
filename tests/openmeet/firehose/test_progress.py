"""Sources from the settings: a removed one is no longer listed, but keeps its cursor."""

from openmeet.network.firehose import cursors
from openmeet.network.firehose.cursors import REMOVED_FOR
from tests.openmeet.firehose.conftest import Bench

ONE, OTHER = "wss://one.example", "wss://other.example"


async def shown(bench: Bench) -> list[str]:
    async with bench.db.reader() as reader:
        return [one.url for one in await cursors.sources(reader)]


async def started(bench: Bench, *urls: str) -> list[int | None]:
    """Start the consumer with these settings and return the cursors that it resumes from."""
    async with bench.db.transaction() as tx:
        await cursors.keep_sources(tx, urls)
        return [await cursors.add_source(tx, url) for url in urls]


async def test_a_removed_source_is_not_listed(bench: Bench):
    await started(bench, ONE, OTHER)
    await started(bench, OTHER)
    assert await shown(bench) == [OTHER]
    await started(bench)
    assert await shown(bench) == []


async def test_a_source_that_is_added_again_resumes_at_its_cursor(bench: Bench):
    await started(bench, ONE)
    async with bench.db.transaction() as tx:
        await cursors.advance(tx, ONE, 7, {}, ())
    await started(bench, OTHER)
    assert await started(bench, ONE) == [7]
    assert await shown(bench) == [ONE]


async def test_after_a_month_a_removed_source_is_deleted(bench: Bench):
    await started(bench, ONE)
    async with bench.db.transaction() as tx:
        await cursors.advance(tx, ONE, 7, {}, ())
    await started(bench, OTHER)
    bench.clock.turn(REMOVED_FOR + 1)
    await started(bench, OTHER)
    assert await started(bench, ONE) == [None]
