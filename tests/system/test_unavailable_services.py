"""Parts of the network are unavailable for a while: people get responses at once, and queued work arrives later
(invariant 1).
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.simulation.oracle import RSVP
from tests.system import end_state
from tests.system.guests import TOKENS, Guest, account_on, sign_in, write_event
from tests.system.single_process import get
from tests.system.stream import whole_stream
from tests.system.tour.polling import eventually
from tests.system.tour.stage import Stage, open_stage

# Shorter than the timeout for a server of the network, but longer than a busy machine needs.
AT_ONCE_SECONDS = 9.0


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with open_stage(tmp_path) as opened:
        yield opened


async def listed(stage: Stage, uri: str) -> str | None:
    """Wait until OpenMeet has a record's event, and return its slug."""
    found = (await get(f"{stage.openmeet_url}/api/events", uri=uri)).json()["events"]
    return str(found[0]["slug"]) if found else None


async def slug_of(stage: Stage, uri: str) -> str:
    async def look() -> str | None:
        return await listed(stage, uri)

    return await eventually(look)


async def published(stage: Stage, guest: Guest) -> list[str]:
    """The statuses of the answers in a person's repository."""
    url = f"{stage.pds_url}/xrpc/com.atproto.repo.listRecords"
    records = (await get(url, repo=guest.account.did, collection=RSVP)).json()["records"]
    return [record["value"]["status"].rpartition("#")[2] for record in records]


async def test_unavailable_pds_does_not_block_answers(stage: Stage):
    """Answers are accepted and shown while the person's PDS is down. When it is back, its repository has the last one."""
    hana = await account_on(stage.second_pds_url, "hana.second.test")
    uri, _ = await write_event(hana, "Winter market")
    slug = await slug_of(stage, uri)
    gus = await sign_in(stage.openmeet_url, await account_on(stage.pds_url, "gus.test"), "gus.test")
    try:
        await stage.pds.kill()
        for word in ("going", "declined", "interested"):
            await gus.answer(slug, word)
            shown = (await gus.http.get(f"/api/events/{slug}/answer")).json()
            assert shown["status"] == {"going": "attending"}.get(word, word)
        assert gus.slowest_seconds < AT_ONCE_SECONDS

        async def is_queued() -> bool:
            return end_state.states(stage.folder / "openmeet", "rsvp") == ["retrying"]

        await eventually(is_queued)
        await stage.pds.start()
        await end_state.wait_until_done(stage.folder / "openmeet")
        assert await published(stage, gus) == [TOKENS["interested"]]
    finally:
        await gus.http.aclose()


@contextmanager
def held(file: Path) -> Iterator[None]:
    """Lock the database, so that nobody else can write: for its users it is unavailable."""
    with closing(sqlite3.connect(file, isolation_level=None, timeout=30)) as database:
        database.execute("begin immediate")
        try:
            yield
        finally:
            database.execute("rollback")


def cursors(stage: Stage) -> dict[str, int]:
    """The consumer's stored cursor, by source."""
    with closing(sqlite3.connect(f"file:{stage.folder / 'openmeet/network.db'}?mode=ro", uri=True)) as database:
        return {url: cursor or 0 for url, cursor in database.execute("select url, cursor from sources")}


async def test_cursor_waits_for_the_confirmation_of_the_queue(stage: Stage):
    """While the queue accepts nothing, the cursor does not move. The consumer is even killed; afterwards everything
    arrives once.
    """
    hana = await account_on(stage.second_pds_url, "hana.second.test")
    first, _ = await write_event(hana, "Before")
    await slug_of(stage, first)
    source = next(url for url in cursors(stage) if url.split("://")[1] == stage.second_pds_url.split("://")[1])

    async def is_up_to_date() -> bool:
        return cursors(stage)[source] == (await whole_stream(stage.second_pds_url))[-1][0]

    await eventually(is_up_to_date)
    before = cursors(stage)[source]
    consumer = stage.platform["firehose-consumer"]
    with held(stage.folder / "openmeet/queue.db"):
        uris = [(await write_event(hana, f"Meanwhile {number}"))[0] for number in range(20)]
        await asyncio.sleep(1.0)
        assert cursors(stage)[source] == before, "the cursor passed messages that the queue does not have"
        await consumer.kill()
        await consumer.start()
        await asyncio.sleep(2.0)
        assert cursors(stage)[source] == before
    for uri in uris:
        await slug_of(stage, uri)
    await end_state.wait_until_done(stage.folder / "openmeet")
    view = await end_state.view_here(stage.folder / "openmeet")
    assert set(view.events) == {first, *uris}
    assert end_state.dead_letters(stage.folder / "openmeet") == []


async def test_unavailable_platform_database_loses_no_message(stage: Stage):
    """While the processor cannot write, messages wait in the queue. They are applied when it can."""
    hana = await account_on(stage.second_pds_url, "hana.second.test")
    first, _ = await write_event(hana, "Before")
    await slug_of(stage, first)
    with held(stage.folder / "openmeet/openmeet.db"):
        uris = [(await write_event(hana, f"Meanwhile {number}"))[0] for number in range(10)]
        await asyncio.sleep(2.0)
        assert [await listed(stage, uri) for uri in uris] == [None] * len(uris), "pages are shown nevertheless"
    await end_state.wait_until_done(stage.folder / "openmeet")
    for uri in uris:
        await slug_of(stage, uri)
    assert end_state.dead_letters(stage.folder / "openmeet") == []
