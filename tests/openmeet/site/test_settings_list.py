"""The settings list: every row leads to a page and shows the current value. Sessions are ended one by one."""

import re

import pytest

from groundwork.clock import HandClock
from openmeet.domain.moderation import blocks
from openmeet.domain.notifications import preferences
from openmeet.domain.notifications.model import Channel, NotificationTopic
from openmeet.domain.sign_in import queries as sign_in_queries
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import Site, h1_of, person, sign_up, signed_in, site_on


@pytest.fixture
async def site(make_database: MakeDatabase, clock: HandClock) -> Site:
    return site_on(await make_database("openmeet"), clock)


async def test_every_row_leads_to_a_page_that_leads_back(site: Site) -> None:
    async with site.browser() as ana:
        await sign_up(ana, "ana@example.org", "Ana")
        listed = (await ana.get("/settings")).text
        paths = re.findall(r'<li><a[^>]*href="(/settings/[^"#]+)', listed)
        assert {"/settings/profile", "/settings/sessions", "/settings/data", "/settings/delete"} <= set(paths)
        assert "ana@example.org" in listed
        for path in set(paths) - {"/settings/delete"}:
            shown = await ana.get(path)
            assert (shown.status_code, 'href="/settings"' in shown.text) == (200, True), path
            assert h1_of(shown.text) != "Settings", path


async def test_a_row_shows_the_current_value(site: Site) -> None:
    async with site.db.transaction() as tx:
        ana, ben = [await person(tx, name) for name in ("Ana", "Ben")]
    async with signed_in(site, ana.user_id) as browser:
        assert "Nobody is blocked or muted" in (await browser.get("/settings")).text
        async with site.db.transaction() as tx:
            await blocks.block(tx, ana.user_id, ben.user_id)
        assert "1 person blocked" in (await browser.get("/settings")).text


async def test_the_row_of_notifications_lists_their_channels(site: Site) -> None:
    async with site.browser() as ana:
        await sign_up(ana, "ana@example.org", "Ana")
        assert "Here and by e-mail" in (await ana.get("/settings")).text
        async with site.db.transaction() as tx:
            row = await tx.fetch_one("select id from users where display_name = 'Ana'")
            assert row is not None
            nothing = {(topic, channel): False for topic in NotificationTopic for channel in Channel}
            await preferences.put(tx, row["id"], nothing)
        listed = (await ana.get("/settings")).text
    assert '<strong>Notifications</strong> <span class="hint">Off</span>' in listed


async def test_a_session_can_be_ended_from_the_list(site: Site) -> None:
    """Another browser's session ends at once, other people's sessions cannot be ended, and ending one's own leads to
    the front page.
    """
    async with site.db.transaction() as tx:
        ana, ben = [await person(tx, name) for name in ("Ana", "Ben")]
    async with (
        signed_in(site, ana.user_id) as here,
        signed_in(site, ana.user_id) as there,
        signed_in(site, ben.user_id) as bens,
    ):
        names = re.findall(r'name="session" value="([0-9a-f]+)"', (await here.get("/settings/sessions")).text)
        assert len(set(names)) == 2
        for name in names:
            await bens.post("/settings/sessions", data={"session": name})
        async with site.db.reader() as reader:
            assert len(await sign_in_queries.open_of(reader, ana.user_id)) == 2
        own, other = names
        ended = await here.post("/settings/sessions", data={"session": other})
        assert ended.headers["location"] == "/settings/sessions"
        assert (await there.get("/settings")).status_code == 303
        left = await here.post("/settings/sessions", data={"session": own})
        assert left.headers["location"] == "/"
        assert (await here.get("/settings")).status_code == 303


async def test_sessions_are_named_after_their_devices(site: Site) -> None:
    async with site.browser() as ana:
        ana.headers["user-agent"] = "Mozilla/5.0 (Android 15; Mobile; rv:145.0) Gecko/145.0 Firefox/145.0"
        await sign_up(ana, "ana@example.org", "Ana")
        listed = (await ana.get("/settings/sessions")).text
    assert "<strong>Firefox on Android</strong>" in listed
    assert listed.count("This browser") == 1


async def test_the_list_of_sessions_leads_to_tokens_and_to_signing_out_everywhere(site: Site) -> None:
    """With only one session, there is nothing else to sign out of."""
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
    everywhere = 'href="/settings/identity#signing-out"'
    async with signed_in(site, ana.user_id) as here:
        alone = (await here.get("/settings/sessions")).text
        async with signed_in(site, ana.user_id):
            listed = (await here.get("/settings/sessions")).text
        assert 'id="signing-out"' in (await here.get("/settings/identity")).text
    assert (everywhere in alone, everywhere in listed) == (False, True)
    assert 'href="/settings/tokens"' in alone


async def test_deleting_the_account_comes_last_among_the_ways_to_leave(site: Site) -> None:
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
    async with signed_in(site, ana.user_id) as browser:
        shown = (await browser.get("/settings/data")).text
    assert re.findall(r'<h2 id="([a-z]+)">', shown)[-1] == "delete"
