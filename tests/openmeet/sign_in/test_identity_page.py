"""The page with one's accounts: connected in addition to an e-mail address, switched, disconnected, and updated when
they move to another server.
"""

from dataclasses import replace

import pytest

from groundwork.clock import DAY
from groundwork.database.resealing import reseal
from groundwork.errors import NotSignedIn
from groundwork.sealing import Sealer
from openmeet.domain.events import actions as events
from openmeet.domain.events.model import Event
from openmeet.domain.identities import actions, queries, session_queries
from openmeet.domain.identities.model import IdentityKind, NewSession
from openmeet.domain.sign_in.actions import open_session
from openmeet.domain.sign_in.model import SessionTransport
from openmeet.domain.users.model import Caller, UserId
from openmeet.network.ingestion import identity_refresh
from openmeet.network.publishing import schedule
from openmeet.network.repositories import agents, credentials_cache, oauth_client_keys, session_sealing, sessions
from openmeet.network.repositories.sessions import follow_account
from openmeet.outbox import publication_status
from openmeet.outbox.publication_status import PublicationStatus
from openmeet.outbox.publications import PublicationKind, PublicationState
from openmeet.outbox.reasons import PublicationReason
from programs.resealing import columns_of_code_key, sealed_columns
from tests.interop.consent import allow
from tests.openmeet.deployment import details
from tests.openmeet.sign_in.sign_in_site import (
    IDENTITY_PAGE,
    PASSWORD,
    SignInSite,
    link_account,
    publisher_of,
    where_of,
)
from tests.openmeet.site_under_test import CODE_KEY, sign_up


async def agreed(site: SignInSite, user_id: UserId) -> Caller:
    """Make the person agree to publishing."""
    async with site.db.transaction() as tx:
        await actions.grant_consent(tx, user_id, handle="ana.town.test")
    return Caller(user_id, "Ana")


async def new_event(site: SignInSite, host: Caller) -> Event:
    async with site.db.transaction() as tx:
        return await events.create(tx, host, details())


async def status_of(site: SignInSite, event: Event) -> PublicationStatus:
    async with site.db.reader() as reader:
        return (await publication_status.statuses(reader, PublicationKind.EVENT, [event.id]))[event.id]


async def test_accounts_are_connected_switched_and_disconnected(site_on_each: SignInSite):
    """The newest account is used for new records. A disconnected one is signed out on its server and removed from this
    site.
    """
    site = site_on_each
    for name in ("ana", "office"):
        await site.deployment.account(name)
    async with site.browser() as browser:
        await sign_up(browser, "ana@example.org", "Ana")
        assert "No account is connected" in (await browser.get(IDENTITY_PAGE)).text
        for name in ("ana", "office"):
            back = await link_account(site, browser, name)
            assert (back.status_code, back.headers["location"]) == (303, IDENTITY_PAGE)
        ana, work = await site.identity("ana"), await site.identity("office")
        assert ana.user_id == work.user_id
        assert (ana.is_default, work.is_default) == (False, True)
        await browser.post(f"{IDENTITY_PAGE}/switch", data={"did": ana.did})
        assert (await site.identity("ana")).is_default
        agent = await agents.agent_for(site.db, site.network, await site.identity("ana"))
        assert (await agent.query("com.atproto.server.getSession"))["did"] == ana.did
        gone = await browser.post(f"{IDENTITY_PAGE}/unlink", data={"did": ana.did})
        assert gone.status_code == 303
        assert (await site.identity("office")).is_default
        page = (await browser.get(IDENTITY_PAGE)).text
        assert ("office.town.test" in page, "ana.town.test" in page) == (True, False)
        # Somebody else's account cannot be changed.
        assert (await browser.post(f"{IDENTITY_PAGE}/unlink", data={"did": ana.did})).status_code == 404
        assert (await browser.post(f"{IDENTITY_PAGE}/switch", data={"did": ana.did})).status_code == 404


async def test_the_only_way_to_sign_in_cannot_be_disconnected(site: SignInSite):
    await site.deployment.account("ana")
    async with site.browser() as browser:
        await site.sign_in_at_pds(browser, "ana")
        refused = await browser.post(f"{IDENTITY_PAGE}/unlink", data={"did": (await site.identity("ana")).did})
        assert (refused.status_code, "only way you have to sign in" in refused.text) == (422, True)
        assert await site.session("ana") is not None


async def test_linking_another_users_account_waits_for_confirmation(site: SignInSite):
    """Linking an account that another user of this site has leads to the question whether both users are the same
    person.
    """
    await site.deployment.account("ana")
    async with site.browser() as first, site.browser() as second:
        await site.sign_in_at_pds(first, "ana")
        await sign_up(second, "bob@example.org", "Bob")
        back = await link_account(site, second, "ana")
        assert back.headers["location"].startswith("/settings/join/")
        # Not before the confirmation: this person must not write another person's records.
        identity = await site.identity("ana")
        async with site.db.reader() as reader:
            (bob,) = await reader.fetch("select id from users where email = 'bob@example.org'")
        assert identity.user_id != bob["id"]


async def test_a_forbidden_record_waits_and_is_sent_once_it_is_allowed(site: SignInSite):
    """The person did not allow events, so the event is blocked with an explanation. After they allow it, it is due
    again.
    """
    await site.deployment.account("ana")
    async with site.browser() as browser:
        await site.sign_in_at_pds(browser, "ana", without="repo:community.lexicon.calendar.event")
        ana = await site.identity("ana")
        caller = await agreed(site, ana.user_id)
        publisher = publisher_of(site)
        event = await new_event(site, caller)
        await schedule.run_once(publisher)
        grant_state = await status_of(site, event)
        assert (grant_state.state, grant_state.reason) == (
            PublicationState.BLOCKED,
            PublicationReason.NO_ACCESS_GRANTED(),
        )
        asked = await browser.post(f"{IDENTITY_PAGE}/permit", data={"did": ana.did, "feature": "calendar"})
        await browser.get(await allow(where_of(asked), "ana.town.test", PASSWORD))
        await schedule.run_once(publisher)
        assert (await status_of(site, event)).state is PublicationState.PUBLISHED


async def test_signing_out_says_that_publishing_continues_and_how_to_end_it(site: SignInSite):
    """Due records are still published afterwards. After "Sign out everywhere" the page no longer says so, and nothing
    is published.
    """
    await site.deployment.account("ana")
    async with site.browser() as browser:
        await site.sign_in_at_pds(browser, "ana")
        caller = await agreed(site, (await site.identity("ana")).user_id)
        event = await new_event(site, caller)
        out = await browser.post("/sign-out")
        shown = (await browser.get(out.headers["location"])).text
        assert "Syncing continues" in shown
        assert "Sign out here and at your servers" in shown
        await schedule.run_once(publisher_of(site))
        assert (await status_of(site, event)).state is PublicationState.PUBLISHED
        await site.sign_in_at_pds(browser, "ana")
        out = await browser.post(f"{IDENTITY_PAGE}/sign-out-everywhere")
        assert "Syncing continues" not in (await browser.get(out.headers["location"])).text
        later = await new_event(site, caller)
        await schedule.run_once(publisher_of(site))
        assert (await status_of(site, later)).state is PublicationState.BLOCKED


async def ended_at_server(site: SignInSite, before: session_sealing.PdsSession) -> bool:
    """True if the server no longer accepts the session's refresh token."""
    client = await oauth_client_keys.client_of_session(
        site.db, site.network, client_id=before.stored.client_id, key_id=before.stored.client_key_id
    )
    assert before.key is not None
    server = await site.network.servers.at(before.stored.issuer)
    try:
        await site.network.oauth.refresh(server, client, before.key, before.refresh)
    except NotSignedIn:
        return True
    return False


async def test_one_browser_is_signed_out_here_and_at_the_servers(site_on_each: SignInSite):
    """The person chooses this at the end of any page. The session is ended on the server, and not only deleted on this
    site. Another browser stays signed in, and due records wait.
    """
    site = site_on_each
    await site.deployment.account("ana")
    async with site.browser() as browser, site.browser() as other:
        for one in (other, browser):
            await site.sign_in_at_pds(one, "ana")
        ana = await site.identity("ana")
        before = session_sealing.unseal(site.network, await site.stored("ana"))
        event = await new_event(site, await agreed(site, ana.user_id))
        for path in (IDENTITY_PAGE, "/my/series", "/"):
            assert 'name="revoke" value="true"' in (await browser.get(path)).text
        out = await browser.post("/sign-out", data={"revoke": "true"})
        assert "of your servers" in (await browser.get(out.headers["location"])).text
        assert (await browser.get(IDENTITY_PAGE)).status_code != 200
        assert (await other.get(IDENTITY_PAGE)).status_code == 200
        # If no server session exists, there is nothing to choose.
        assert 'name="revoke"' not in (await other.get("/my/series")).text
    assert await site.session("ana") is None
    assert await ended_at_server(site, before)
    await schedule.run_once(publisher_of(site))
    assert (await status_of(site, event)).state is PublicationState.BLOCKED


async def test_signing_out_during_a_refresh_ends_the_new_session(
    site_on_each: SignInSite, monkeypatch: pytest.MonkeyPatch
):
    """The server has issued new tokens that are no longer needed: they are revoked and not stored."""
    site = site_on_each
    await site.deployment.account("ana")
    async with site.browser() as browser:
        await site.sign_in_at_pds(browser, "ana")
    ana = await site.identity("ana")
    before = session_sealing.unseal(site.network, await site.stored("ana"))
    ask, given = site.network.oauth.refresh, list[str]()

    async def ask_and_leave(_calls: object, *how: object):
        granted = await ask(*how)
        given.append(granted.refresh)
        async with site.db.transaction() as tx:
            # On some servers, revoking a token that has just been used ends nothing.
            await sessions.delete_all(tx, ana.user_id)
        return granted

    with monkeypatch.context() as patched:
        patched.setattr(type(site.network.oauth), "refresh", ask_and_leave)
        with pytest.raises(NotSignedIn):
            await sessions.renew(site.db, site.network, ana, before)
    assert await site.session("ana") is None
    (fresh,) = given
    assert await ended_at_server(site, replace(before, refresh=fresh))


@pytest.mark.parametrize("revokes", [True, False])
async def test_an_api_client_can_choose_to_end_the_server_session(site_on_each: SignInSite, revokes: bool):
    """The client uses ``DELETE /api/session?revoke=true``. Without this parameter the session on the server stays, as
    for a browser.
    """
    site = site_on_each
    await site.deployment.account("ana")
    async with site.browser() as browser:
        await site.sign_in_at_pds(browser, "ana")
        ana = await site.identity("ana")
        before = session_sealing.unseal(site.network, await site.stored("ana"))
        async with site.db.transaction() as tx:
            token = (await open_session(tx, ana.user_id, SessionTransport.API)).token
        bearer = {"authorization": f"Bearer {token}"}
        wrong = await browser.delete("/api/session", params={"revoke": "perhaps"}, headers=bearer)
        assert (wrong.status_code, wrong.json()["title"]) == (400, "InvalidRequest")
        closed = await browser.delete("/api/session", params={"revoke": "true"} if revokes else {}, headers=bearer)
        assert closed.status_code == 204
        assert (await browser.get("/api/session", headers=bearer)).status_code == 401
        # The browser has a separate session on this site.
        assert (await browser.get(IDENTITY_PAGE)).status_code == 200
    assert (await site.session("ana") is None) is revokes
    assert await ended_at_server(site, before) is revokes


async def test_a_server_that_is_down_does_not_prevent_signing_out(site: SignInSite):
    """The session on this site ends before the server is called."""
    await site.deployment.account("ana")
    async with site.browser() as browser:
        await site.sign_in_at_pds(browser, "ana")
        await site.deployment.pds_serving.stop()
        out = await browser.post("/sign-out", data={"revoke": "true"})
        assert out.status_code == 303
        assert (await browser.get(IDENTITY_PAGE)).status_code != 200
    assert await site.session("ana") is None


async def test_credentials_of_a_disconnected_account_are_not_used(site: SignInSite):
    for name in ("ana", "office"):
        await site.deployment.account(name)
    async with site.browser() as browser:
        await sign_up(browser, "ana@example.org", "Ana")
        for name in ("office", "ana"):
            await link_account(site, browser, name)
        ana, version = await site.identity("ana"), (await site.stored("ana")).version
        await agents.agent_for(site.db, site.network, ana)
        assert await credentials_cache.get(site.network, ana.user_id, ana.did, version) is not None
        await browser.post(f"{IDENTITY_PAGE}/unlink", data={"did": ana.did})
        assert await credentials_cache.get(site.network, ana.user_id, ana.did, version) is None


async def test_a_session_that_cannot_be_unsealed_is_replaced(site_on_each: SignInSite):
    """When the sealing key is lost, the page says so and offers a new sign-in, whatever was allowed before."""
    site = site_on_each
    await site.deployment.account("ana")
    async with site.browser() as browser:
        await site.sign_in_at_pds(browser, "ana")
        assert "Sign in there again" not in (await browser.get(IDENTITY_PAGE)).text
        async with site.db.transaction() as tx:
            await tx.execute("update repository_sessions set sealed = :sealed", sealed=b"of another key")
        assert "Sign in there again" in (await browser.get(IDENTITY_PAGE)).text


async def test_app_password_sessions_are_refreshed_too(site_on_each: SignInSite):
    """Sessions of people who publish are refreshed, but not those of custodial accounts, which the site can sign in
    again without the person.
    """
    site = site_on_each
    deployment = replace(site.deployment, db=site.db, network=site.network)
    ana, kept = await deployment.connected("ana"), await deployment.person("Kim")
    before = {one.user_id: await _version(site, one) for one in (ana, kept)}
    deployment.clock.turn(2 * DAY)
    assert await sessions.keep_alive(site.db, site.network) == 1
    assert await _version(site, ana) == before[ana.user_id] + 1
    assert await _version(site, kept) == before[kept.user_id]
    assert await sessions.keep_alive(site.db, site.network) == 0


async def test_sessions_at_a_server_that_is_down_delay_no_others(
    site_on_each: SignInSite, monkeypatch: pytest.MonkeyPatch
):
    """Sessions that were tried go to the end of the queue, however many there are."""
    site = site_on_each
    deployment = replace(site.deployment, db=site.db, network=site.network)
    people = [await deployment.connected("ana"), await deployment.connected("bob")]
    async with site.db.reader() as reader:
        found = [(await session_queries.of_user(reader, who.user_id))[0] for who in people]
    away, there = sorted(found, key=lambda one: one.did)
    async with site.db.transaction() as tx:
        await session_queries.put(tx, NewSession(away.did, away.kind, "http://localhost:1", away.sealed))
    monkeypatch.setattr(sessions, "_BATCH", 1)
    deployment.clock.turn(2 * DAY)
    assert [await sessions.keep_alive(site.db, site.network) for _ in range(2)] == [0, 1]
    async with site.db.reader() as reader:
        after = await session_queries.find(reader, there.did)
        left = await session_queries.find(reader, away.did)
    assert after is not None
    assert after.version == there.version + 1
    assert left is not None
    assert not left.needs_login


async def _version(site: SignInSite, who: Caller) -> int:
    async with site.db.reader() as reader:
        (found,) = await session_queries.of_user(reader, who.user_id)
    return found.version


async def test_sessions_are_refreshed_while_they_are_needed(site_on_each: SignInSite):
    """Sessions of people who publish are refreshed daily, for as long as their server allows. A session that has ended
    is marked and later deleted.
    """
    site = site_on_each
    for name in ("ana", "bob"):
        await site.deployment.account(name)
        async with site.browser() as browser:
            await site.sign_in_at_pds(browser, name)
    ana = await site.identity("ana")
    async with site.db.transaction() as tx:
        await actions.grant_consent(tx, ana.user_id, handle=ana.handle)
    assert await sessions.keep_alive(site.db, site.network) == 0
    before = {name: (await site.stored(name)).version for name in ("ana", "bob")}
    site.deployment.clock.turn(13 * DAY)  # a public client's refresh token is valid for 14 days
    assert await sessions.keep_alive(site.db, site.network) == 1
    assert await sessions.keep_alive(site.db, site.network) == 0
    after = {name: (await site.stored(name)).version for name in ("ana", "bob")}
    assert after == {"ana": before["ana"] + 1, "bob": before["bob"]}
    agent = await agents.agent_for(site.db, site.network, ana)
    assert (await agent.query("com.atproto.server.getSession"))["did"] == ana.did
    await sessions.delete_expired(site.db)
    # the whole session of a public client ends after 14 days, however often it is refreshed
    site.deployment.clock.turn(2 * DAY)
    assert await sessions.keep_alive(site.db, site.network) == 0
    assert (await site.stored("ana")).needs_login
    site.deployment.clock.turn(180 * DAY)
    await sessions.delete_expired(site.db)
    assert (await site.session("ana"), await site.session("bob")) == (None, None)


async def test_old_seals_are_replaced(site_on_each: SignInSite):
    """After a rotation every session is sealed with the newest key, so the previous key can be dropped."""
    site = site_on_each
    await site.deployment.account("ana")
    async with site.browser() as browser:
        await site.sign_in_at_pds(browser, "ana")
    rotated = replace(site.network, sealer=Sealer([b"n" * 32, bytes(32)]))
    columns = sealed_columns(rotated.tenant)
    assert await reseal(site.db, rotated.sealer, columns) == (1, 1)
    assert await reseal(site.db, rotated.sealer, columns) == (1, 0)
    alone = replace(site.network, sealer=Sealer([b"n" * 32]))
    assert session_sealing.unseal(alone, await site.stored("ana")).key is not None


async def test_every_sealed_column_is_resealed(site_on_each: SignInSite):
    """A column whose name says that it is sealed and that is not resealed would become unreadable with the old key."""
    site = site_on_each
    of_key = [column for _, column in columns_of_code_key(CODE_KEY)]
    known = {(one.table, one.column) for one in (*sealed_columns("any"), *of_key)}
    found = set()
    async with site.db.reader() as reader:
        if site.db.engine == "sqlite":
            rows = await reader.fetch(
                "select m.name as t, c.name as c from sqlite_schema m, pragma_table_info(m.name) c where m.type = 'table'"
            )
        else:
            rows = await reader.fetch(
                "select table_name as t, column_name as c from information_schema.columns"
                " where table_schema = current_schema()"
            )
        found = {(row["t"], row["c"]) for row in rows if "sealed" in row["c"]}
    assert found - known == {("oauth_requests", "sealed")}, "they last ten minutes"
    assert known <= found


async def test_a_deactivated_account_publishes_once_it_is_active_again(site: SignInSite):
    """While the account is deactivated (``#account``) nothing is sent. After it is active again, waiting records are
    sent.
    """
    await site.deployment.account("ana")
    async with site.browser() as browser:
        await site.sign_in_at_pds(browser, "ana")
    ana = await site.identity("ana")
    caller = await agreed(site, ana.user_id)
    stranger = await site.deployment.stranger("ana")
    await stranger.procedure("com.atproto.server.deactivateAccount", {})
    assert await identity_refresh.refresh(site.db, site.network, ana.did) == "deactivated"
    event = await new_event(site, caller)
    await schedule.run_once(publisher_of(site))
    assert (await status_of(site, event)).state is PublicationState.BLOCKED
    await stranger.procedure("com.atproto.server.activateAccount")
    await identity_refresh.refresh(site.db, site.network, ana.did)
    assert (await status_of(site, event)).state is PublicationState.DUE
    async with site.browser() as browser:  # its server ended the site's session together with all others
        await site.sign_in_at_pds(browser, "ana")
    await schedule.run_once(publisher_of(site))
    assert (await status_of(site, event)).state is PublicationState.PUBLISHED


async def test_a_custodial_account_that_moved_is_no_longer_custodial(site: SignInSite):
    """A custodial account has moved to another server: its password is deleted and never sent to the new server."""
    ana = await site.deployment.person("Ana")
    deployment = site.deployment
    identity = await deployment.identity(ana.user_id)
    async with deployment.db.transaction() as tx:
        await follow_account(tx, identity, pds_url="https://elsewhere.example", status="active")
        after = await queries.find(tx, identity.did)
        session = await session_queries.find(tx, identity.did)
        account = await queries.custodial_account(tx, ana.user_id)
    assert after is not None
    assert session is not None
    assert (after.kind, account, session.needs_login) == (IdentityKind.CONNECTED, None, True)
