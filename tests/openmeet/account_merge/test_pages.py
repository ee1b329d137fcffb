"""Account merge on pages: prove an address, see what will be merged, confirm, and see what was merged."""

import re

import pytest

from at_protocol.syntax.did import Did
from groundwork.clock import HandClock
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.identities import actions as identities
from openmeet.domain.users import guests
from openmeet.domain.users.model import Caller
from tests.databases import MakeDatabase
from tests.openmeet.account_merge.join_pages import prove_address
from tests.openmeet.site_under_test import Site, event_by, h1_of, person, sign_up, signed_in, site_on
from tests.visible_text import visible_text


@pytest.fixture
async def site(make_sqlite: MakeDatabase, clock: HandClock) -> Site:
    return site_on(await make_sqlite("openmeet", clock=clock), clock)


async def test_the_page_shows_what_will_be_merged_and_what_was(site: Site) -> None:
    async with site.db.transaction() as tx:
        tea = await event_by(tx, await person(tx, "Host"), title="Tea")
        guest = await guests.make(tx, display_name="Ana A.", email="other@example.org")
        await attendance.answer(tx, Caller(guest, ""), tea.slug, RsvpReply.GOING)
    async with site.browser() as browser:
        await sign_up(browser, "ana@example.org", "Ana")
        assert "/settings/join" in (await browser.get("/settings/profile")).text
        proposal = await prove_address(browser, "other@example.org")
        shown = await browser.get(proposal)
        assert h1_of(shown.text) == "Is this you?"
        assert "<li>1 answer</li>" in shown.text
        assert "Tea" not in visible_text((await browser.get("/my/events")).text)
        for _ in range(2):
            joined = await browser.post(proposal)
            assert joined.headers["location"] == proposal
        said = await browser.get(proposal)
        assert h1_of(said.text) == "Everything is in one place"
        assert "<li>1 answer</li>" in said.text
        assert "Tea" in (await browser.get("/my/events")).text
        async with site.browser() as stranger:
            assert "/sign-in" in (await stranger.get(proposal)).headers.get("location", "/sign-in")
            await sign_up(stranger, "eve@example.org", "Eve")
            assert (await stranger.get(proposal)).status_code == 404
            assert (await stranger.post(proposal)).status_code == 404


async def test_the_person_chooses_which_address_to_keep(site: Site) -> None:
    """Two people who both have an address choose which one to keep, and "not now" leaves both accounts as they are."""
    async with site.db.transaction() as tx:
        await person(tx, "Ben")
    async with site.browser() as browser:
        await sign_up(browser, "ana@example.org", "Ana")
        proposal = await prove_address(browser, "ben@example.org")
        shown = re.sub(r"<[^>]+>|\s+", " ", (await browser.get(proposal)).text)
        assert "second account of yours" in shown
        assert re.search(r"ben@example\.org +no longer opens this account", shown)
        left = await browser.post(f"{proposal}/not-now")
        assert left.headers["location"] == "/settings/profile"
        assert (await browser.get(proposal)).status_code == 404
        assert (await browser.post("/settings/join", data={"email": "ana@example.org"})).status_code == 400
        assert await prove_address(browser, "nobody@example.org") == "/settings/profile"
    async with site.db.reader() as reader:
        assert await reader.fetch_one("select 1 from users where email = 'ben@example.org'") is not None


async def test_people_without_an_address_can_add_one(site: Site) -> None:
    """Somebody who signed in with their AT Protocol account gets no e-mails until they add an address."""
    async with site.db.transaction() as tx:
        ana = await identities.connect(
            tx, Did("did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"), handle="ana.example", pds_url="https://pds.example"
        )
    async with signed_in(site, ana) as browser:
        assert "Add your e-mail address" in (await browser.get("/settings/profile")).text
        assert h1_of((await browser.get("/settings/join")).text) == "Add your e-mail address"
        assert await prove_address(browser, "ana@example.org") == "/settings/profile"
        profile = (await browser.get("/settings/profile")).text
        assert ("ana@example.org" in profile, "Add your e-mail address" in profile) == (True, False)
        assert h1_of((await browser.get("/settings/join")).text) == "Merge your accounts"
