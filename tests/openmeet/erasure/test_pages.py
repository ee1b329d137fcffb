"""Settings → Delete my account, and DELETE /api/me: the required confirmation, and what is refused."""

import pytest

from at_protocol.syntax.did import parse_did
from groundwork.clock import MINUTE, HandClock
from openmeet.domain.events import queries as events
from openmeet.domain.identities import actions as identities
from openmeet.domain.sign_in.actions import open_session
from openmeet.domain.sign_in.model import SessionTransport
from openmeet.domain.users import erasure_requests
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import Site, event_by, person, signed_in, site_on


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
    """If the last sign-in is too old, the page asks the person to sign in again, and the sign-in page leads back to it.
    It never leads to another site.
    """
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
    async with signed_in(site, ana.user_id) as browser:
        clock.turn(11 * MINUTE)
        page = (await browser.get("/settings/delete")).text
        assert (
            '<form method="post" action="/sign-out"><input type="hidden" name="next" value="/settings/delete">' in page
        )
        answer = await browser.post("/sign-out", data={"next": "/settings/delete"})
        assert answer.headers["location"] == "/sign-in?next=%2Fsettings%2Fdelete"
        assert 'value="/settings/delete"' in (await browser.get(answer.headers["location"])).text
        assert (await browser.post("/sign-out", data={"next": "https://evil.example/"})).headers["location"] == "/"


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
