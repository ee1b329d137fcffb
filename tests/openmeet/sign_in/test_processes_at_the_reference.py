"""Several real processes share a session on the reference PDS, which ends a session whose refresh token is used twice."""

from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.async_api import expect

from groundwork.clock import SystemClock
from groundwork.database.open_ import open_database
from openmeet.domain.identities import session_queries
from openmeet.domain.identities.model import PdsSessionKind, SealedSession
from openmeet.network.repositories import agents
from openmeet.network.repositories.session_sealing import seal, unseal
from openmeet.network.repositories.sign_in import sign_in_with_password
from tests.browser.browsers import chromium
from tests.databases import MakeDatabase
from tests.external_dependencies import needs
from tests.openmeet.identities.refresher_processes import next_line_of, refresher_process, start_request
from tests.openmeet.remote_pds import PASSWORD, RemoteSite, authorize_on_pds, open_remote
from tests.postgres_schemas import Emptied

pytestmark = needs("reference", "chromium")


@dataclass
class Shared:
    """A site on PostgreSQL that other processes open, too."""

    remote: RemoteSite
    url: str
    schema: str

    def worker(self, did: str, fault: str = "none") -> AbstractAsyncContextManager[Process]:
        directory = self.remote.network.dids._settings.directory_url
        return refresher_process((self.url, self.schema), directory, "real", did, fault)

    async def let_in(self, kind: PdsSessionKind) -> SealedSession:
        """Sign Ana in, on her server or with her password on this site, and let her access token expire."""
        await self.remote.pds.sign_up("ana")
        if kind is PdsSessionKind.OAUTH:
            async with chromium() as browser, self.remote.phone(browser) as page:
                await page.goto("/sign-in")
                await page.get_by_label("E-mail or account name").fill("ana.test")
                await page.get_by_role("button", name="Sign in").click()
                await authorize_on_pds(page)
                await expect(page).to_have_url(f"{self.remote.url}/home")
            await self.set("access_ends_at", SystemClock().now())
        else:
            await sign_in_with_password(self.remote.db, self.remote.network, identifier="ana.test", password=PASSWORD)
            opened = unseal(self.remote.network, await self.stored())
            # The reference PDS's response for a token that has expired. The real expiry would take two hours.
            await self.set("sealed", seal(self.remote.network, opened.stored.did, "ended", opened.refresh))
        stored = await self.stored()
        assert stored.kind is kind
        return stored

    async def stored(self) -> SealedSession:
        found = await self.remote.identity("ana")
        async with self.remote.db.reader() as reader:
            kept = await session_queries.find(reader, found.did)
        assert kept is not None
        return kept

    async def set(self, column: str, value: object) -> None:
        async with self.remote.db.transaction() as tx:
            await tx.execute(f"update repository_sessions set {column} = :value", value=value)

    async def is_signed_in(self) -> bool:
        """True if the session is still valid on the server: it can be refreshed once more, and a call with the new
        token works.
        """
        await self.set("access_ends_at", SystemClock().now())
        ana = await self.remote.identity("ana")
        agent = await agents.agent_for(self.remote.db, self.remote.network, ana)
        return (await agent.query("com.atproto.server.getSession"))["did"] == ana.did


@pytest.fixture
async def shared_database(
    postgres_url: str, emptied_schemas: Emptied, make_sqlite: MakeDatabase, tmp_path: Path
) -> AsyncIterator[Shared]:
    schema = await emptied_schemas.borrow(postgres_url, "openmeet")
    db = await open_database(postgres_url, schema=schema, clock=SystemClock())
    async with open_remote(db, make_sqlite, tmp_path) as remote:
        yield Shared(remote, postgres_url, schema)
    await db.close()
    await emptied_schemas.give_back(postgres_url, schema, "openmeet")


@pytest.mark.parametrize("kind", PdsSessionKind)
async def test_a_refresh_token_is_used_once_at_the_reference(shared_database: Shared, kind: PdsSessionKind):
    """Three processes make a request at the same moment: one refreshes, the others use its result, and the session
    remains valid.
    """
    before = await shared_database.let_in(kind)
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
    after = await shared_database.stored()
    assert (after.version, after.needs_login) == (before.version + 1, False)
    assert await shared_database.is_signed_in()


@pytest.mark.parametrize("kind", PdsSessionKind)
async def test_a_process_that_dies_with_a_used_token_at_the_reference(shared_database: Shared, kind: PdsSessionKind):
    """The reference PDS accepts the used refresh token of a password session for a while longer, but ends an OAuth
    session.
    """
    before = await shared_database.let_in(kind)
    async with shared_database.worker(before.did, "dies") as dying:
        assert await next_line_of(dying) == "ready"
        start_request(dying)
        assert await dying.wait() == 9
    await shared_database.set("leased_until", SystemClock().now())  # the killed process's lease has expired
    async with shared_database.worker(before.did) as heir:
        assert await next_line_of(heir) == "ready"
        start_request(heir)
        said = await next_line_of(heir)
    if kind is PdsSessionKind.PASSWORD:
        assert (said, (await shared_database.stored()).needs_login) == (before.did, False)
        assert await shared_database.is_signed_in()
    else:
        assert (said.split(), (await shared_database.stored()).needs_login) == (["NotSignedIn", "invalid_grant"], True)
