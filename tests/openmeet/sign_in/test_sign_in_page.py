"""One page for signing in and signing up. A form that is sent after its session has ended is shown again with
everything that was typed.
"""

import re
from urllib.parse import parse_qs, urlsplit

import pytest

from at_protocol.syntax.did import parse_did
from groundwork.clock import MINUTE
from openmeet.domain.identities import actions as identities
from openmeet.domain.users import queries as users
from tests.openmeet.site_under_test import event_by, person, sign_up, signed_in, site_on


@pytest.mark.parametrize("typed", ["", "ana", "ana@", "@"])
async def test_an_invalid_address_is_reported_next_to_the_field(make_sqlite, clock, typed: str):
    site = site_on(await make_sqlite("openmeet", clock=clock), clock)
    async with site.browser() as browser:
        shown = await browser.post("/sign-in", data={"identifier": typed, "next": "/home"})
    assert (shown.status_code, 'id="identifier-problem"' in shown.text) == (400, True)
    assert f'value="{typed}"' in shown.text


async def test_the_cursor_is_in_the_first_field(make_sqlite, clock):
    """Text below the field describes it. If there is an error, its summary takes the focus."""
    site = site_on(await make_sqlite("openmeet", clock=clock), clock)
    async with site.browser() as browser:
        start = (await browser.get("/sign-in")).text
        assert re.search(r'<input id="identifier"[^>]* aria-describedby="ways-in"[^>]* autofocus>', start)
        assert 'id="ways-in"' in start
        refused = (await browser.post("/sign-in", data={"identifier": "ana@"})).text
        assert ("data-focus" in refused, "autofocus" in refused) == (True, False)
        asked = await browser.post("/sign-in", data={"identifier": "ana@example.org"})
        code_page = (await browser.get(asked.headers["location"])).text
        assert re.search(r'<input class="code" id="code"[^>]* autofocus', code_page)
        challenge = parse_qs(urlsplit(asked.headers["location"]).query)["challenge"][0]
        wrong = await browser.post("/sign-in/code", data={"challenge": challenge, "code": "AAAA AAAA"})
        assert ("data-focus" in wrong.text, "autofocus" in wrong.text) == (True, False)


async def test_the_code_page_names_the_address_only_where_it_was_entered(make_sqlite, clock):
    """People notice a mistyped address. The link to the page alone reveals nothing."""
    site = site_on(await make_sqlite("openmeet", clock=clock), clock)
    async with site.browser() as browser, site.browser() as other:
        path = (await browser.post("/sign-in", data={"identifier": "ana@exmaple.org"})).headers["location"]
        assert "to ana@exmaple.org." in (await browser.get(path)).text
        elsewhere = (await other.get(path)).text
        assert ("ana@exmaple.org" in elsewhere, "the address you gave" in elsewhere) == (False, True)


async def test_a_code_that_no_longer_works_leads_to_a_new_one(make_sqlite, clock):
    """Unknown, used and expired codes look alike. The new code leads to the same page as the old one."""
    site = site_on(await make_sqlite("openmeet", clock=clock), clock)
    async with site.browser() as browser:
        asked = await browser.post("/sign-in", data={"identifier": "ana@example.org", "next": "/groups"})
        path = asked.headers["location"]
        challenge = parse_qs(urlsplit(path).query)["challenge"][0]
        assert (await browser.get(path)).status_code == 200
        clock.turn(31 * MINUTE)
        for over in (
            await browser.get(path),
            await browser.get("/sign-in/code?challenge=unknown"),
            await browser.post("/sign-in/code", data={"challenge": challenge, "code": "AAAA AAAA"}),
        ):
            assert (over.status_code, "We sent a code" in over.text) == (410, False)
            assert "This code no longer works" in over.text
        assert 'href="/sign-in?next=%2Fgroups">Get a new one' in (await browser.get(path)).text


async def test_newcomers_enter_their_name_after_the_code(make_sqlite, clock):
    site = site_on(await make_sqlite("openmeet", clock=clock), clock)
    async with site.browser() as browser:
        entered = await sign_up(browser, "ana@example.org", "Ana", next_path="/groups")
        assert entered.headers["location"] == "/groups"
    async with site.db.reader() as reader:
        found = await users.by_email(reader, "ana@example.org")
    assert found is not None
    assert found.display_name == "Ana"


async def test_a_name_that_is_the_handle_of_somebody_else_is_refused(make_sqlite, clock):
    """Those who have connected the account can use it. The profile and the API refuse it, too."""
    site = site_on(await make_sqlite("openmeet", clock=clock), clock)
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        await identities.link(
            tx, parse_did("did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"), ana.user_id, handle="ana.example.org", pds_url=""
        )
    async with signed_in(site, ana.user_id) as browser:
        for path in ("/welcome", "/settings/profile"):
            refused = await browser.post(path, data={"display_name": "ben.example.org"})
            assert (refused.status_code, "looks like the @name of an account" in refused.text) == (400, True)
            assert (await browser.post(path, data={"display_name": "ana.example.org"})).status_code == 303


@pytest.mark.parametrize(("came_from", "leads_to"), [("/", "/home"), ("/series", "/series")])
async def test_signing_in_leads_to_the_page_one_came_from_or_home(make_sqlite, clock, came_from: str, leads_to: str):
    site = site_on(await make_sqlite("openmeet", clock=clock), clock)
    async with site.browser() as browser:
        await sign_up(browser, "ana@example.org", "Ana")
        await browser.post("/sign-out")
        entered = await sign_up(browser, "ana@example.org", "Ana", next_path=came_from)
        assert entered.headers["location"] == leads_to


async def test_the_old_sign_up_url_leads_to_the_one_page(make_sqlite, clock):
    site = site_on(await make_sqlite("openmeet", clock=clock), clock)
    async with site.browser() as browser:
        led = await browser.get("/sign-up", params={"next": "/groups"})
        assert (led.status_code, led.headers["location"]) == (303, "/sign-in?next=%2Fgroups")


async def test_a_form_without_a_session_keeps_the_typed_text(make_sqlite, clock):
    """Repeated fields and quotes stay as they were, but passwords are dropped. Sent again with a session, the form is
    saved.
    """
    site = site_on(await make_sqlite("openmeet", clock=clock), clock)
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana)
    path = f"/events/{event.slug}/cancel"
    typed = {"reason": 'The "big" storm & rain', "tags": ["a", "b"], "password": "not to be shown"}
    async with site.browser() as browser:
        shown = await browser.post(path, data=typed)
    assert (shown.status_code, f'action="{path}"' in shown.text) == (401, True)
    assert 'name="reason" value="The &#34;big&#34; storm &amp; rain"' in shown.text
    assert shown.text.count('name="tags"') == 2
    assert "not to be shown" not in shown.text
    async with signed_in(site, ana.user_id) as browser:
        assert (await browser.post(path, data=typed)).status_code == 303
