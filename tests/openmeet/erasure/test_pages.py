"""Settings → Delete my account, and DELETE /api/me: the required confirmation, and what is refused."""

import re

import pytest

from at_protocol.syntax.did import parse_did
from groundwork.clock import MINUTE, HandClock
from openmeet.domain.events import queries as events
from openmeet.domain.identities import actions as identities
from openmeet.domain.sign_in.actions import open_session
from openmeet.domain.sign_in.model import SessionTransport
from openmeet.domain.users import erasure_requests
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import Site, event_by, person, sign_up, signed_in, site_on


@pytest.fixture
async def site(make_sqlite: MakeDatabase, clock: HandClock) -> Site:
    return site_on(await make_sqlite("openmeet", clock=clock), clock)


async def asked(site: Site, user_id: str):
    async with site.db.reader() as reader:
        return await erasure_requests.find(reader, user_id)


async def test_the_page_shows_what_will_happen(site: Site) -> None:
    """An event that begins before the deletion is cancelled now, and the browser is signed out."""
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        soon = await event_by(tx, ana, title="Soon", starts="2026-03-05T18:00", ends="2026-03-05T20:00")
        later = await event_by(tx, ana, title="Later")
    async with signed_in(site, ana.user_id) as browser:
        shown = (await browser.get("/settings/delete")).text
        assert "Soon" in shown
        assert "Later" in shown
        assert "/settings/delete" in (await browser.get("/settings/data")).text
        answer = await browser.post("/settings/delete", data={"confirm": "Ana@Example.org "})
        assert answer.status_code == 303
        assert (await browser.get("/settings/delete")).status_code in {303, 401}
    assert (await asked(site, ana.user_id)) is not None
    async with site.db.reader() as reader:
        assert (await events.by_slug(reader, soon.slug)).is_cancelled
        assert not (await events.by_slug(reader, later.slug)).is_cancelled


async def test_deletion_needs_the_confirmation_and_a_recent_sign_in(site: Site, clock: HandClock) -> None:
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
    async with signed_in(site, ana.user_id) as browser:
        for typed in ("", "ben@example.org", "Ana"):
            answer = await browser.post("/settings/delete", data={"confirm": typed})
            assert answer.status_code == 400
        clock.turn(11 * MINUTE)
        assert 'name="confirm"' not in (await browser.get("/settings/delete")).text
        assert (await browser.post("/settings/delete", data={"confirm": "ana@example.org"})).status_code == 400
    assert await asked(site, ana.user_id) is None


async def test_people_without_a_handle_type_something_else(site: Site) -> None:
    """A person without an account on the network has no handle to type, so the page asks them to type something else."""
    async with site.db.transaction() as tx:
        ana, ben, cleo = [await person(tx, name) for name in ("Ana", "Ben", "Cleo")]
        for who, letter in ((ben, "b"), (cleo, "c")):
            did = parse_did("did:plc:" + letter * 24)
            await identities.link(tx, did, who.user_id, handle=f"{letter}.example", pds_url="https://pds.example")
        await tx.execute("update users set email = null where id = :id", id=cleo.user_id)
    for who, asked_for in (
        (ana, "Your e-mail address<"),
        (ben, "Your e-mail address or account name<"),
        (cleo, "Your account name, like @ana.example.org<"),
    ):
        async with signed_in(site, who.user_id) as browser:
            assert asked_for in (await browser.get("/settings/delete")).text


async def test_signing_in_again_leads_back(site: Site, clock: HandClock) -> None:
    """If the last sign-in is too old, the page links to the sign-in page. There the person's address is filled in. The new
    session replaces the earlier one.
    """
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
    async with signed_in(site, ana.user_id) as browser:
        earlier = dict(browser.cookies)
        clock.turn(11 * MINUTE)
        page = (await browser.get("/settings/delete")).text
        assert 'href="/sign-in?again=yes&amp;next=/settings/delete"' in page
        start = (await browser.get("/sign-in?again=yes&next=/settings/delete")).text
        assert "<h1>Sign in again</h1>" in start
        assert "creates your account" not in start
        assert 'value="/settings/delete"' in start
        assert re.search(r'<input id="identifier"[^>]* value="ana@example\.org"', start)
        asked_at = await browser.post("/sign-in", data={"identifier": "ana@example.org", "next": "/settings/delete"})
        code_page = (await browser.get(asked_at.headers["location"])).text
        assert 'href="/sign-in?next=%2Fsettings%2Fdelete&amp;again=yes"' in code_page
        answer = await sign_up(browser, "ana@example.org", "Ana", next_path="/settings/delete")
        assert answer.headers["location"] == "/settings/delete"
        assert 'name="confirm"' in (await browser.get("/settings/delete")).text
    async with site.browser() as browser:
        browser.cookies.update(earlier)
        assert (await browser.get("/settings/delete")).headers["location"].startswith("/sign-in?")


async def test_a_handle_is_filled_in_if_there_is_no_address(site: Site) -> None:
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        did = parse_did("did:plc:" + "a" * 24)
        await identities.link(tx, did, ana.user_id, handle="ana.example", pds_url="https://pds.example")
        await tx.execute("update users set email = null where id = :id", id=ana.user_id)
    async with signed_in(site, ana.user_id) as browser:
        shown = (await browser.get("/sign-in?again=yes&next=/settings/delete")).text
    assert re.search(r'<input id="identifier"[^>]* value="ana\.example"', shown)


async def test_the_api_needs_a_session_instead_of_a_token(site: Site, clock: HandClock) -> None:
    """A repeated request is refused, because the person is signed out by then. A request without ``confirm`` does
    nothing.
    """
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        session = await open_session(tx, ana.user_id, SessionTransport.API)
    async with site.browser() as program:
        program.headers["authorization"] = f"Bearer {session.token}"
        assert (await program.get("/api/me/deletion")).json()["answers"] == 0
        wrong = await program.request("DELETE", "/api/me", json={"confirm": "eve@example.org"})
        assert wrong.status_code == 400
        made = await program.post("/api/tokens", json={"name": "Robot", "scopes": ["profile:write", "read"]})
        assert made.status_code == 201, made.text
        token = made.json()["token"]
        program.headers["authorization"] = f"Bearer {token}"
        assert (await program.request("DELETE", "/api/me")).status_code == 403
        assert await asked(site, ana.user_id) is None
        program.headers["authorization"] = f"Bearer {session.token}"
        assert (await program.request("DELETE", "/api/me")).status_code == 202
        assert (await program.request("DELETE", "/api/me")).status_code == 401
        program.headers["authorization"] = f"Bearer {token}"
        assert (await program.get("/api/me")).status_code == 401
    assert await asked(site, ana.user_id) is not None


async def test_an_old_api_session_is_not_enough(site: Site, clock: HandClock) -> None:
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        session = await open_session(tx, ana.user_id, SessionTransport.API)
    clock.turn(11 * MINUTE)
    async with site.browser() as program:
        program.headers["authorization"] = f"Bearer {session.token}"
        refused = await program.request("DELETE", "/api/me", json={"confirm": "ana@example.org"})
    assert refused.status_code == 403
    assert refused.json()["title"] == "ProofExpired"
    assert await asked(site, ana.user_id) is None
