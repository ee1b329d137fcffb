"""Several real processes share one session: one of them refreshes it. In another test a process is killed after it used
the refresh token.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

import pytest

from groundwork.clock import MINUTE, SECOND
from groundwork.database.open_ import open_database
from openmeet.network.repositories import agents
from tests.databases import sqlite_url
from tests.openmeet.deployment import Deployment
from tests.openmeet.identities.refresher_processes import (
    LINE_TIMEOUT_SECONDS,
    next_line_of,
    refresher_process,
    start_request,
)
from tests.openmeet.sign_in.sign_in_site import SignInSite, site_for


@dataclass
class Shared:
    """A site whose database other processes can open."""

    site: SignInSite
    url: str
    schema: str

    def worker(self, did: str, fault: str = "none") -> AbstractAsyncContextManager[asyncio.subprocess.Process]:
        clock, plc = self.site.deployment.clock, self.site.network.dids._settings.directory_url
        return refresher_process((self.url, self.schema), plc, str(clock.now()), did, fault)


@pytest.fixture
async def shared_database(
    request, engine, deployment: Deployment, tmp_path: Path, sqlite_templates: Path
) -> AsyncIterator[Shared]:
    if engine == "sqlite":
        url, schema = await sqlite_url(tmp_path, sqlite_templates, "openmeet"), ""
    else:
        url = request.getfixturevalue("postgres_url")
        emptied = request.getfixturevalue("emptied_schemas")
        schema = await emptied.borrow(url, "openmeet")
    db = await open_database(url, schema=schema, clock=deployment.clock)
    site = site_for(deployment, db)
    yield Shared(site, url, schema)
    await site.network.wait_for_refreshes()
    await db.close()
    if engine != "sqlite":
        await emptied.give_back(url, schema, "openmeet")


async def test_a_refresh_token_is_used_once(shared_database: Shared):
    """The token has expired and three processes make a request at the same moment: one refreshes, all requests succeed,
    and the session remains valid.
    """
    site = shared_database.site
    await site.deployment.account("ana")
    async with site.browser() as browser:
        await site.sign_in_at_pds(browser, "ana")
    before = await site.stored("ana")
    site.deployment.clock.turn(20 * MINUTE)
    async with (
        shared_database.worker(before.did) as first,
        shared_database.worker(before.did) as second,
        shared_database.worker(before.did) as third,
    ):
        workers = (first, second, third)
        assert [await next_line_of(each) for each in workers] == ["ready"] * 3
        for each in workers:
            start_request(each)
        assert [await next_line_of(each) for each in workers] == [before.did] * 3
    assert (await site.stored("ana")).version == before.version + 1
    # If a token had been used twice, the server would have ended the session.
    site.deployment.clock.turn(20 * MINUTE)
    agent = await agents.agent_for(site.db, site.network, await site.identity("ana"))
    assert (await agent.query("com.atproto.server.getSession"))["did"] == before.did


async def test_a_process_that_dies_with_a_used_token_requires_a_new_sign_in(shared_database: Shared):
    """The server has responded and nothing was stored. The next process finds that the session has ended, reports this,
    and loses nothing else.
    """
    site = shared_database.site
    await site.deployment.account("ana")
    async with site.browser() as browser:
        await site.sign_in_at_pds(browser, "ana")
        before = await site.stored("ana")
        site.deployment.clock.turn(20 * MINUTE)
        async with shared_database.worker(before.did, "dies") as dying:
            assert await next_line_of(dying) == "ready"
            start_request(dying)
            async with asyncio.timeout(LINE_TIMEOUT_SECONDS):
                assert await dying.wait() == 9
        left = await site.stored("ana")
        assert (left.version, left.sealed, left.needs_login) == (before.version, before.sealed, False)
        site.deployment.clock.turn(61 * SECOND)  # so that the killed process's lease expires
        async with shared_database.worker(before.did) as heir:
            assert await next_line_of(heir) == "ready"
            start_request(heir)
            assert (await next_line_of(heir)).split() == ["NotSignedIn", "invalid_grant"]
        assert (await site.stored("ana")).needs_login
        # Nobody is signed out of the site, and the page says what to do.
        assert "Sign in there again" in (await browser.get("/settings/identity")).text
        await site.sign_in_at_pds(browser, "ana")
    agent = await agents.agent_for(site.db, site.network, await site.identity("ana"))
    assert (await agent.query("com.atproto.server.getSession"))["did"] == before.did
