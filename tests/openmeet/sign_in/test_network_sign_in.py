"""Signing in on one's own server: the request, the return, and the possible failures."""

import base64
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from groundwork.clock import MINUTE
from groundwork.errors import Forbidden, NotSignedIn, RemoteSlow
from openmeet.domain.identities import session_queries
from openmeet.domain.identities.model import IdentityKind, PdsSessionKind
from openmeet.domain.identities.permissions import Feature, GrantState, grant_state
from openmeet.network.repositories import agents, sessions
from tests.interop.consent import allow
from tests.openmeet.sign_in.sign_in_site import SignInSite, state_of, where_of
from tests.openmeet.site_under_test import event_by, person

EVENT = "community.lexicon.calendar.event"


def an_event() -> dict[str, object]:
    return {"$type": EVENT, "name": "Tea", "createdAt": "2026-03-01T12:00:00Z", "startsAt": "2026-04-01T17:00:00Z"}


@pytest.mark.parametrize("way", ["handle", "at handle", "did", "server"])
async def test_handle_did_and_server_url_sign_in_the_same_person(site: SignInSite, way: str):
    """With the handle, the DID or the URL of the PDS the same person is signed in, with a session that is bound to a
    key of this site.
    """
    await site.deployment.account("ana")
    did = (await site.deployment.network.handles.identities.identify("ana.town.test")).did  # type: ignore[arg-type]
    typed = {
        "handle": "ana.town.test",
        "at handle": " @Ana.Town.Test\u200b",
        "did": did,
        "server": site.deployment.pds_url,
    }
    async with site.browser() as browser:
        back = await site.sign_in_at_pds(browser, "ana", typed=typed[way], next_path="/settings/profile")
        assert (back.status_code, back.headers["location"]) == (303, "/settings/profile")
        assert "ana.town.test" in (await browser.get("/settings/identity")).text
    identity = await site.identity("ana")
    assert (identity.did, identity.kind, identity.pds_url) == (did, IdentityKind.CONNECTED, site.deployment.pds_url)
    session = await site.stored("ana")
    assert (session.kind, session.issuer) == (PdsSessionKind.OAUTH, site.deployment.pds_url)
    assert grant_state(session, Feature.CALENDAR) is GrantState.GRANTED
    assert grant_state(session, Feature.SERIES) is GrantState.NOT_ASKED


async def test_an_agent_writes_refreshes_and_writes_again(site_on_each: SignInSite):
    """DPoP proofs have nonces from the first request on. An expiring token is replaced before it is used."""
    site = site_on_each
    await site.deployment.account("ana")
    async with site.browser() as browser:
        await site.sign_in_at_pds(browser, "ana")
    identity = await site.identity("ana")
    agent = await agents.agent_for(site.db, site.network, identity)
    before = await site.stored("ana")
    made = await agent.procedure(
        "com.atproto.repo.createRecord", {"repo": identity.did, "collection": EVENT, "record": an_event()}
    )
    site.deployment.clock.turn(20 * MINUTE)  # the token and the nonce have expired
    await agent.procedure(
        "com.atproto.repo.createRecord", {"repo": identity.did, "collection": EVENT, "record": an_event()}
    )
    after = await site.stored("ana")
    assert after.version == before.version + 1
    assert (await site.deployment.record(str(made["uri"])))["name"] == "Tea"
    # Permissions that were not requested are not granted.
    with pytest.raises(Forbidden):
        await agent.procedure(
            "com.atproto.repo.createRecord",
            {"repo": identity.did, "collection": "org.example.note", "record": {"$type": "org.example.note"}},
        )


async def test_an_answer_begun_before_signing_in_is_saved(site_on_each: SignInSite):
    """The answer chosen before the sign-in is completed. A URL that somebody sent has no effect."""
    site = site_on_each
    await site.deployment.account("ana")
    async with site.db.transaction() as tx:
        event = await event_by(tx, await person(tx, "Host"))
    async with site.browser() as browser:
        asked = await browser.post(f"/events/{event.slug}/answer", data={"reply": "going"})
        (next_path,) = parse_qs(urlsplit(asked.headers["location"]).query)["next"]
        back = await site.sign_in_at_pds(browser, "ana", next_path=next_path)
        assert back.headers["location"] == f"/events/{event.slug}"
        assert "You’re going" in (await browser.get(f"/events/{event.slug}")).text
    await site.deployment.account("bob")
    async with site.browser() as browser:
        back = await site.sign_in_at_pds(browser, "bob", next_path=f"/events/{event.slug}?reply=going")
        assert back.headers["location"] == f"/events/{event.slug}?reply=going"
    async with site.db.reader() as reader:
        rows = await reader.fetch("select user_id from attendances where status = 'attending'")
    assert [row["user_id"] for row in rows] == [(await site.identity("ana")).user_id]


async def test_the_api_returns_the_url_and_redirects_browsers(site: SignInSite):
    """``/api/auth/login-bsky`` returns the URL to programs and redirects browsers. The return to the site is the same."""
    await site.deployment.account("ana")
    async with site.browser() as browser:
        told = await browser.get("/api/auth/login-bsky", params={"handle": "ana.town.test", "next": "/my/events"})
        posted = await browser.post("/api/auth/login-bsky", json={"handle": "ana.town.test"})
        sent = await browser.get(
            "/api/auth/login-bsky", params={"handle": "ana.town.test"}, headers={"accept": "text/html,*/*"}
        )
        typed = await browser.post(
            "/api/auth/login-bsky", data={"handle": "ana.town.test"}, headers={"accept": "text/html,*/*"}
        )
        assert (told.status_code, posted.status_code, sent.status_code, typed.status_code) == (200, 200, 303, 303)
        elsewhere = {"origin": "https://elsewhere.example"}
        refused = await browser.post("/api/auth/login-bsky", data={"handle": "ana.town.test"}, headers=elsewhere)
        assert refused.status_code == 403
        locations = (sent.headers["location"], typed.headers["location"])
        for where in (told.json()["url"], posted.json()["url"], *locations):
            assert where.startswith(f"{site.deployment.pds_url}/oauth/authorize?")
            assert set(parse_qs(urlsplit(where).query)) == {"client_id", "request_uri"}
        back = await browser.get(await allow(told.json()["url"], "ana.town.test", "a long password"))
        assert back.headers["location"] == "/my/events"
        wrong = await browser.get("/api/auth/login-bsky", params={"handle": "ana@example.org"})
        assert (wrong.status_code, list(wrong.json()["fields"])) == (400, ["handle"])


async def test_the_sign_in_url_is_never_cached(site: SignInSite):
    """The URL works once and is returned with a cookie, so it is never cached, and no conditional request gets a 304."""
    await site.deployment.account("ana")
    async with site.browser() as browser:
        for accept, status in (("text/html,*/*", 303), ("application/json", 200)):
            wanted = {"accept": accept}
            first = await browser.get("/api/auth/login-bsky", params={"handle": "ana.town.test"}, headers=wanted)
            assert (first.status_code, first.headers["cache-control"]) == (status, "no-store")
            for known in ("*", '"e3b0c44298fc1c14"', first.headers.get("etag", "")):
                again = await browser.get(
                    "/api/auth/login-bsky",
                    params={"handle": "ana.town.test"},
                    headers={**wanted, "if-none-match": known},
                )
                assert again.status_code == status
                assert "openmeet_authorizing" in again.headers["set-cookie"]


async def test_names_that_do_not_resolve_are_reported(site: SignInSite):
    async with site.browser() as browser:
        for typed, status, words in (
            ("nobody.town.test", 400, "We found nobody called nobody.town.test"),
            ("", 400, "Enter your account name"),
            ("ana@example.org", 400, "This is an e-mail address"),
            ("not a handle", 400, "Enter your account name, like"),
            ("did:web:localhost", 400, "localhost cannot host an identity."),
            ("did:example:1", 400, "only did:plc and did:web are supported"),
            ("did:plc:ewvi7nxzyoun6zhxrhs64oiz", 400, "There’s no account did:plc:"),
            ("http://127.0.0.1:1", 502, "127.0.0.1 can’t be reached"),
        ):
            answer = await browser.post("/sign-in/network", data={"identifier": typed})
            assert (answer.status_code, words in answer.text) == (status, True), typed
            assert "openmeet_session" not in answer.headers.get("set-cookie", "")


async def test_a_pds_that_is_down_is_reported(site: SignInSite):
    """The page says that the server is unreachable and keeps the typed text, and nothing is stored."""
    await site.deployment.account("ana")
    await site.network.handles.identities.identify("ana.town.test")  # type: ignore[arg-type]
    site.network.servers._http = _Down()  # type: ignore[assignment]
    async with site.browser() as browser:
        answer = await browser.post("/sign-in/network", data={"identifier": "ana.town.test"})
    assert answer.status_code == 502
    assert "did not answer in time" in answer.text
    assert 'value="ana.town.test"' in answer.text
    async with site.db.reader() as reader:
        assert await reader.fetch("select 1 from oauth_requests") == []


class _Down:
    """A client whose requests all time out."""

    async def get(self, url: str, **_limits: object) -> object:
        raise RemoteSlow(f"{urlsplit(url).hostname} did not answer in time.")


async def test_refusing_is_handled(site: SignInSite):
    """A person who refuses gets a short message, and no user is created."""
    await site.deployment.account("ana")
    async with site.db.transaction() as tx:
        ben = await person(tx, "Ben")
        event = await event_by(tx, ben)
    async with site.browser() as browser:
        where = await site.start_sign_in(browser, "ana.town.test", next_path=f"/events/{event.slug}")
        back = await browser.get(await allow(where, "ana.town.test", "a long password", step="deny"))
        assert back.status_code == 400
        assert "You said no, and that’s fine" in back.text
        assert f'<a class="button quiet" href="/events/{event.slug}">Back to Board games</a>' in back.text
        assert (await browser.get("/settings/identity")).status_code == 303
    async with site.db.reader() as reader:
        assert len(await reader.fetch("select 1 from users")) == 1


async def test_a_state_works_once_in_its_browser_and_in_time(site_on_each: SignInSite):
    """A state from another browser, and one that is used, unknown or expired, signs nobody in."""
    site = site_on_each
    await site.deployment.account("ana")
    async with site.browser() as browser, site.browser() as other:
        where = await site.start_sign_in(browser, "ana.town.test")
        back = await allow(where, "ana.town.test", "a long password")
        stolen = await other.get(back)
        assert (stolen.status_code, "This was started in another browser" in stolen.text) == (400, True)
        assert (await browser.get(back)).status_code == 303
        again = await browser.get(back)
        assert (again.status_code, "This sign-in has ended" in again.text) == (400, True)
        unknown = await browser.get("/sign-in/callback?" + urlencode({"state": "x", "iss": "y", "code": "z"}))
        assert (unknown.status_code, "This sign-in has ended" in unknown.text) == (400, True)
        where = await site.start_sign_in(browser, "ana.town.test")
        back = await allow(where, "ana.town.test", "a long password")
        site.deployment.clock.turn(11 * MINUTE)
        late = await browser.get(back)
        assert (late.status_code, "That took too long" in late.text) == (400, True)


@pytest.mark.parametrize("issuer", ["https://evil.example", ""])
async def test_a_response_of_another_server_is_not_used(site: SignInSite, issuer: str):
    """Mix-up attack: a code that comes with another issuer or none is not used, and the state is consumed."""
    await site.deployment.account("ana")
    async with site.browser() as browser:
        where = await site.start_sign_in(browser, "ana.town.test")
        back = await allow(where, "ana.town.test", "a long password")
        parts = {name: values[0] for name, values in parse_qs(urlsplit(back).query).items()}
        forged = {**parts, "iss": issuer}
        answer = await browser.get("/sign-in/callback?" + urlencode(forged))
        assert (answer.status_code, "We stopped this sign-in" in answer.text) == (400, True)
        assert (await browser.get(back)).status_code == 400
    async with site.db.reader() as reader:
        assert await reader.fetch("select 1 from users") == []


async def test_a_code_of_another_sign_in_is_refused(site: SignInSite):
    """A code is used with the state of another sign-in, which has a different PKCE challenge and key."""
    await site.deployment.account("ana")
    async with site.browser() as browser:
        first = await allow(await site.start_sign_in(browser, "ana.town.test"), "ana.town.test", "a long password")
        second = await site.start_sign_in(browser, "ana.town.test")
        other = await allow(second, "ana.town.test", "a long password")
        parts = {name: values[0] for name, values in parse_qs(urlsplit(other).query).items()}
        answer = await browser.get("/sign-in/callback?" + urlencode({**parts, "state": state_of(first)}))
        assert (answer.status_code, "didn’t let us in" in answer.text) == (400, True)


async def test_partial_permissions_are_accepted(site: SignInSite):
    """A person who does not allow events is signed in, and the refusal is stored."""
    await site.deployment.account("ana")
    async with site.browser() as browser:
        assert (await site.sign_in_at_pds(browser, "ana", without=f"repo:{EVENT}")).status_code == 303
        session = await site.stored("ana")
        assert grant_state(session, Feature.CALENDAR) is GrantState.REFUSED
        page = (await browser.get("/settings/identity")).text
        assert "You said no. Everything else works without it." in page
        # The permission is requested again, and allowed this time.
        asked = await browser.post(
            "/settings/identity/permit", data={"did": session.did, "feature": "series", "next": "/my/events"}
        )
        back = await browser.get(await allow(where_of(asked), "ana.town.test", "a long password"))
        assert back.headers["location"] == "/my/events"
    session = await site.stored("ana")
    assert grant_state(session, Feature.CALENDAR) is GrantState.GRANTED
    assert grant_state(session, Feature.SERIES) is GrantState.GRANTED
    assert grant_state(session, Feature.GROUPS) is GrantState.NOT_ASKED


async def test_signing_out_everywhere_ends_the_server_session(site: SignInSite):
    """The session is revoked on the server, the row is deleted, and this browser and all others are signed out."""
    await site.deployment.account("ana")
    async with site.browser() as browser, site.browser() as other:
        await site.sign_in_at_pds(browser, "ana")
        await site.sign_in_at_pds(other, "ana")
        identity = await site.identity("ana")
        agent = await agents.agent_for(site.db, site.network, identity)
        await agent.query("com.atproto.server.getSession")
        await site.network.wait_for_refreshes()
        out = await browser.post("/settings/identity/sign-out-everywhere")
        assert out.headers["location"] == "/"
        for each in (browser, other):
            assert (await each.get("/settings/identity")).status_code == 303
    assert await site.session("ana") is None
    site.deployment.clock.turn(3_000_000)  # servers check every two seconds whether a session is still valid
    with pytest.raises(NotSignedIn):
        await agent.query("com.atproto.server.getSession")


async def test_neither_database_nor_log_gives_access_to_a_repository(
    site_on_each: SignInSite, capsys: pytest.CaptureFixture[str]
):
    """Tokens, keys, verifiers, codes and states are in no row and no log line, neither during a sign-in nor afterwards."""
    site = site_on_each
    await site.deployment.account("ana")
    async with site.browser() as browser:
        under_way = await site.start_sign_in(browser, "ana.town.test")
        back = await site.sign_in_at_pds(browser, "ana")
        assert back.status_code == 303
        returned = await allow(under_way, "ana.town.test", "a long password")
        cookie = browser.cookies["openmeet_authorizing"]
        web = browser.cookies["openmeet_session"]
    identity = await site.identity("ana")
    session = await sessions.open_session(site.db, site.network, identity)
    session = await sessions.renew(site.db, site.network, identity, session)
    assert session.key is not None
    code = parse_qs(urlsplit(returned).query)["code"][0]
    secrets = [session.access, session.refresh, code, state_of(returned), cookie, web]
    secrets += [base64.b64encode(session.key.to_bytes()).decode(), repr(session.key.to_bytes())]
    rows = []
    async with site.db.reader() as reader:
        for table in (
            "repository_sessions",
            "oauth_requests",
            "oauth_client_keys",
            "sessions",
            "identities",
            "outbox_jobs",
        ):
            rows += [
                repr([bytes(v) if isinstance(v, memoryview) else v for v in row])  # type: ignore[attr-defined]  # what it is besides its contract
                for row in await reader.fetch(f"select * from {table}")
            ]
    printed = capsys.readouterr()
    everything = "\n".join([*rows, printed.out, printed.err])
    assert "/sign-in/callback" in everything
    assert identity.did in everything
    assert [secret for secret in secrets if secret in everything] == []


async def test_a_newer_session_ends_the_previous_one(site: SignInSite):
    """A person who signs in again has one session on their server, not two."""
    await site.deployment.account("ana")
    async with site.browser() as browser:
        await site.sign_in_at_pds(browser, "ana")
        identity = await site.identity("ana")
        agent = await agents.agent_for(site.db, site.network, identity)
        async with site.browser() as other:
            await site.sign_in_at_pds(other, "ana")
        await site.network.wait_for_refreshes()
    site.deployment.clock.turn(3_000_000)
    # The old token is refused, and the agent continues with the newer session.
    await agent.query("com.atproto.server.getSession")
    async with site.db.reader() as reader:
        found = await session_queries.find(reader, identity.did)
    assert found is not None


async def test_a_silent_sign_in_is_no_proof_for_deleting_the_account(site: SignInSite):
    """A browser that is signed in on the account server is let in without a prompt. For deleting the account the server
    is told to prompt.
    """
    await site.deployment.account("ana")
    proof = {"confirm": "ana.town.test"}
    async with site.browser() as browser:
        await site.sign_in_at_pds(browser, "ana")
        shown = (await browser.get("/settings/delete")).text
        assert "may have let you in without asking for your password" in shown
        assert 'name="confirm"' not in shown
        refused = await browser.post("/settings/delete", data=proof)
        assert (refused.status_code, "without asking" in refused.text) == (400, True)
        for path in ("/sign-in?again=yes&next=/settings/delete", "/sign-in/network?next=/settings/delete"):
            assert 'value="ana.town.test"' in (await browser.get(path)).text
        other_way = (await browser.get("/sign-in/network?next=/settings/delete")).text
        assert 'href="/sign-in?again=yes&amp;next=/settings/delete"' in other_way
        await site.sign_in_at_pds(browser, "ana", next_path="/settings/delete?from=mail")
        assert 'name="confirm"' in (await browser.get("/settings/delete")).text
        assert (await browser.post("/settings/delete", data=proof)).status_code == 303
