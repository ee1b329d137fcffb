"""Signing in with an app password, which belongs to a program: it does not allow decisions that only the person may
make.
"""

import pytest

from at_network.bearer_session import BearerTokens, create_session
from at_network.xrpc_client import XrpcClient
from at_protocol.syntax.did import Did
from openmeet.domain.identities.model import PdsSessionKind
from openmeet.domain.users import erasure_requests
from openmeet.network.repositories import agents
from tests.openmeet.deployment import Fixed
from tests.openmeet.sign_in.sign_in_site import PASSWORD, SignInSite

HANDLE = "ana.town.test"


async def app_password(site: SignInSite) -> str:
    """An app password that Ana created on her account server."""
    deployment = site.deployment
    await deployment.account("ana")
    tokens = await create_session(deployment.network.http, deployment.clock, deployment.pds_url, Did(HANDLE), PASSWORD)
    client = XrpcClient(
        deployment.network.http, deployment.clock, deployment.pds_url, credentials=Fixed(f"Bearer {tokens.access}")
    )
    made = await client.procedure("com.atproto.server.createAppPassword", {"name": "calendar app"})
    return str(made["password"])


async def is_leaving(site: SignInSite) -> bool:
    identity = await site.identity("ana")
    async with site.db.reader() as reader:
        return await erasure_requests.find(reader, identity.user_id) is not None


async def test_an_app_password_cannot_delete_the_account(site: SignInSite) -> None:
    """The deletion is refused on the page and in the API, even if the sign-in is recent. The account's own password
    allows it.
    """
    weak = await app_password(site)
    async with site.browser() as browser:
        entered = await browser.post("/sign-in/handle", data={"handle": HANDLE, "password": weak})
        assert entered.status_code == 303
        shown = (await browser.get("/settings/delete")).text
        assert "app password" in shown
        assert 'name="confirm"' not in shown
        assert (await browser.post("/settings/delete", data={"confirm": HANDLE})).status_code == 400
    assert not await is_leaving(site)
    for password, status in ((weak, 403), (PASSWORD, 202)):
        async with site.browser() as program:
            opened = await program.post("/api/session", json={"handle": HANDLE, "password": password})
            program.headers["authorization"] = f"Bearer {opened.json()['token']}"
            answer = await program.request("DELETE", "/api/me", json={"confirm": HANDLE})
        assert answer.status_code == status, answer.text
        assert status == 202 or answer.json()["title"] == "ProofTooWeak"
    assert await is_leaving(site)


async def test_an_app_password_cannot_add_another_way_to_sign_in(site: SignInSite) -> None:
    """Otherwise somebody with the app password could add their own e-mail address, and sign in with more rights later."""
    weak = await app_password(site)
    async with site.browser() as browser:
        await browser.post("/sign-in/handle", data={"handle": HANDLE, "password": weak})
        for path, typed in (
            ("/settings/join", {"email": "eve@example.org"}),
            ("/settings/join/code", {"challenge": "any", "code": "7KQM2PXA"}),
            ("/settings/identity/link", {"identifier": "eve.town.test"}),
        ):
            answer = await browser.post(path, data=typed)
            assert (answer.status_code, "app password" in answer.text) == (403, True), path
        await browser.post("/sign-in/handle", data={"handle": HANDLE, "password": PASSWORD})
        assert (await browser.post("/settings/join", data={"email": "ana@example.org"})).status_code == 303


@pytest.mark.parametrize("access", ["opaque", "", "a.b.c", "e30.e30.e30"])
def test_missing_server_information_grants_nothing(access: str) -> None:
    assert BearerTokens(Did("did:plc:" + "a" * 24), access, "").may_be_of_app_password


async def test_a_sign_in_leaves_no_unused_session_at_the_server(site: SignInSite) -> None:
    """Beside a session by OAuth, the password only shows who somebody is, and its own session ends at once. A further
    password session replaces the earlier one.
    """
    deployment = site.deployment
    weak = await app_password(site)
    others = await open_sessions(site)
    async with site.browser() as browser:
        for _ in range(2):
            entered = await browser.post("/sign-in/handle", data={"handle": HANDLE, "password": weak})
            assert entered.status_code == 303
            await site.network.wait_for_refreshes()
        assert len(await open_sessions(site) - others) == 1
        await site.sign_in_at_pds(browser, "ana")
        await site.network.wait_for_refreshes()
        assert await open_sessions(site) == others
        entered = await browser.post("/sign-in/handle", data={"handle": HANDLE, "password": weak})
        assert entered.status_code == 303
        await site.network.wait_for_refreshes()
    assert await open_sessions(site) == others
    assert (await site.stored("ana")).kind is PdsSessionKind.OAUTH
    agent = await agents.agent_for(site.db, site.network, await site.identity("ana"))
    deployment.clock.turn(3_000_000)  # servers check every two seconds whether a session is still valid
    await agent.query("com.atproto.server.getSession")


async def open_sessions(site: SignInSite) -> set[str]:
    """Ids of the sessions by password that her server would still refresh."""
    async with site.deployment.pds.registry.db.reader() as reader:
        return {str(row["id"]) for row in await reader.fetch("select id from sessions")}
