"""People of the reference PDS sign in on this site, with its own pages in a real browser, its tokens, nonces and
errors.
"""

import pytest
from playwright.async_api import expect

from at_network.oauth_client import OAuthClientIdentity
from groundwork.errors import NotSignedIn
from openmeet.domain.identities import session_queries
from openmeet.domain.identities.permissions import Feature, GrantState, grant_state
from openmeet.network.repositories import agents, sessions
from tests.browser.browsers import chromium
from tests.external_dependencies import needs
from tests.openmeet.remote_pds import RemoteSite, authorize_on_pds, remote
from tests.openmeet.site_under_test import event_by, person

__all__ = ["remote"]

pytestmark = needs("reference", "chromium")

EVENT = "community.lexicon.calendar.event"


async def test_somebody_with_an_account_at_the_reference_signs_in_with_a_click(remote: RemoteSite):
    """A signed-out person on a phone answers "going", consents on their server and returns with the answer recorded.
    Then the site publishes, refreshes the session, and signs the person out.
    """
    await remote.pds.sign_up("ana")
    async with remote.db.transaction() as tx:
        event = await event_by(tx, await person(tx, "Host"), starts="2099-07-04T18:00", ends="2099-07-04T20:00")
    async with chromium() as browser, remote.phone(browser) as page:
        await page.goto(f"/events/{event.slug}")
        await page.locator("button[value=going]").first.click()
        await page.get_by_label("E-mail or account name").fill("ana.test")
        await page.get_by_role("button", name="Sign in").click()
        await authorize_on_pds(page)
        await expect(page).to_have_url(f"{remote.url}/events/{event.slug}")
        await expect(page.get_by_text("You’re going").first).to_be_visible()
    ana = await remote.identity("ana")
    async with remote.db.reader() as reader:
        stored = await session_queries.find(reader, ana.did)
    assert stored is not None
    assert grant_state(stored, Feature.CALENDAR) is GrantState.GRANTED
    agent = await agents.agent_for(remote.db, remote.network, ana)
    record = {"$type": EVENT, "name": "Tea", "createdAt": "2026-03-01T12:00:00Z"}
    wish = {"repo": ana.did, "collection": EVENT, "record": record}
    assert str((await agent.procedure("com.atproto.repo.createRecord", wish))["uri"]).startswith(f"at://{ana.did}/")
    assert agent.pace is not None, "the response reports the remaining limit"
    session = await sessions.open_session(remote.db, remote.network, ana)
    renewed = await sessions.renew(remote.db, remote.network, ana, session)
    assert renewed.access != session.access
    # Signing out on this site ended the session on the server.
    async with remote.db.transaction() as tx:
        ended = await sessions.delete_all(tx, ana.user_id)
    await sessions.revoke_all_at_servers(remote.db, remote.network, ana.user_id, ended)
    with pytest.raises(NotSignedIn):
        await agents.agent_for(remote.db, remote.network, ana)
    with pytest.raises(NotSignedIn):
        await remote.network.oauth.refresh(
            await remote.network.servers.at(stored.issuer),
            OAuthClientIdentity(stored.client_id),
            renewed.key or pytest.fail("no key"),
            renewed.refresh,
        )
