"""Servers that give false information about accounts or about themselves, and accounts that move away from them."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest

from at_network.did_resolver import DidResolver, DidSettings
from at_network.handle_resolver import HandleResolver, HandleSettings
from at_network.oauth_servers import OAuthServers
from at_protocol.crypto import k256
from at_protocol.syntax.did import Did
from groundwork.clock import MINUTE, SECOND
from groundwork.errors import NotSignedIn, RemoteFailed
from groundwork.http.client import HttpClient
from groundwork.http.reach import PUBLIC
from openmeet.domain.identities import queries as identity_queries
from openmeet.network.repositories import agents
from openmeet.web import account
from tests.databases import MakeDatabase
from tests.did_documents import account_document
from tests.openmeet.deployment import Deployment
from tests.openmeet.ingestion.network import did
from tests.openmeet.sign_in.hostile_server import Hostile, hostile_server
from tests.openmeet.sign_in.sign_in_site import SignInSite, site_for
from tests.simulation.directory import Directory

KEY = k256.K256PrivateKey(b"k" * 32).public
EVE, ANA = did(1), did(2)


def document(of: Did, pds: str) -> dict[str, object]:
    return account_document(of, handle=None, key=KEY, pds=pds)


@pytest.fixture
async def hostile() -> AsyncIterator[Hostile]:
    async with hostile_server() as server:
        yield server


@asynccontextmanager
async def site_with(
    deployment: Deployment,
    db,
    documents: dict[str, dict[str, object]],
    *,
    failing: set[str] | None = None,
    **changes: object,
) -> AsyncIterator[SignInSite]:
    """The site with another directory, which does not answer requests about the DIDs in ``failing``."""
    async with Directory(documents, failing=set() if failing is None else failing) as directory:
        dids = DidResolver(deployment.network.http, deployment.clock, DidSettings(directory.url, is_development=True))
        handles = HandleResolver(deployment.network.http, dids, deployment.clock, HandleSettings(is_development=True))
        yield site_for(deployment, db, dids=dids, handles=handles, **changes)
        await handles.close()
        await dids.close()


async def come_back(browser: httpx.AsyncClient, hostile: Hostile) -> httpx.Response:
    asked = {"state": hostile.state, "iss": hostile.url, "code": "a code"}
    return await browser.get("/sign-in/callback?" + urlencode(asked))


async def test_server_can_sign_in_only_its_own_accounts(
    deployment: Deployment, make_sqlite: MakeDatabase, hostile: Hostile
):
    """The server names somebody whose account is on another server: nobody is signed in, and the server's tokens are
    revoked.
    """
    documents = {EVE: document(EVE, hostile.url), ANA: document(ANA, deployment.pds_url)}
    async with (
        site_with(deployment, await make_sqlite("openmeet", clock=deployment.clock), documents) as site,
        site.browser() as b,
    ):
        for typed, subject, heading in (
            (hostile.url, ANA, "We stopped this sign-in"),
            (hostile.url, did(3), "We stopped this sign-in"),
            (EVE, ANA, "That was a different account"),
        ):
            hostile.sent.clear()
            hostile.subject = subject
            await site.start_sign_in(b, typed)
            answer = await come_back(b, hostile)
            assert (answer.status_code, heading in answer.text) == (400, True), (typed, subject)
            assert hostile.tokens_sent() == ["refresh-2"]
        async with site.db.reader() as reader:
            assert await reader.fetch("select 1 from users") == []
        # An honest response signs in its own account, although its handle does not resolve.
        hostile.subject = EVE
        await site.start_sign_in(b, hostile.url)
        assert (await come_back(b, hostile)).status_code == 303
        async with site.db.reader() as reader:
            assert [row["did"] for row in await reader.fetch("select did from repository_sessions")] == [EVE]


async def test_an_old_document_signs_nobody_in(deployment: Deployment, make_sqlite: MakeDatabase, hostile: Hostile):
    """An account may have moved since its document was cached, and its old server may be hostile. If the directory does
    not answer, nobody is signed in, and the server's tokens are revoked.
    """
    failing: set[str] = set()
    documents = {EVE: document(EVE, hostile.url)}
    db = await make_sqlite("openmeet", clock=deployment.clock)
    async with site_with(deployment, db, documents, failing=failing) as site, site.browser() as b:
        hostile.subject = EVE
        await site.start_sign_in(b, EVE)
        documents[EVE] = document(EVE, deployment.pds_url)
        failing.add(EVE)
        assert (await come_back(b, hostile)).status_code == 502
        assert hostile.tokens_sent() == ["refresh-2"]
        async with site.db.reader() as reader:
            assert await reader.fetch("select 1 from users") == []


async def test_no_token_is_sent_after_an_account_moved(
    deployment: Deployment, make_sqlite: MakeDatabase, hostile: Hostile
):
    """A server that is unreachable ends no session. An account that has moved does, and no token is sent to either
    server.
    """
    documents = {EVE: document(EVE, hostile.url)}
    async with (
        site_with(deployment, await make_sqlite("openmeet", clock=deployment.clock), documents) as site,
        site.browser() as b,
    ):
        hostile.subject = EVE
        await site.start_sign_in(b, EVE)
        await come_back(b, hostile)
        async with site.db.reader() as reader:
            (row,) = await reader.fetch("select user_id from identities")
            (identity,) = await identity_queries.of_user(reader, row["user_id"])
        agent = await agents.agent_for(site.db, site.network, identity)
        # less than a minute is left, so it is refreshed whatever the jitter
        deployment.clock.turn(14 * MINUTE + 1 * SECOND)
        hostile.status = 503
        for _ in range(2):  # the lease is free again
            with pytest.raises(RemoteFailed):
                await agent.query("com.example.get")
        hostile.status = 200
        documents[EVE] = document(EVE, deployment.pds_url)
        sent = len(hostile.tokens_sent())
        with pytest.raises(NotSignedIn):
            await agent.query("com.example.get")
        assert len(hostile.tokens_sent()) == sent
        assert "Sign in there again" in (await b.get("/settings/identity")).text


async def test_invalid_metadata_prevents_sign_in(deployment: Deployment, make_sqlite: MakeDatabase, hostile: Hostile):
    """Another issuer, two servers, no PKCE, somebody else's PDS: the page says that signing in with this server is not
    possible.
    """
    db = await make_sqlite("openmeet", clock=deployment.clock)
    async with site_with(deployment, db, {EVE: document(EVE, hostile.url)}) as site, site.browser() as b:
        for server, resource in (
            ({"issuer": f"{hostile.url}/"}, {}),
            ({"issuer": "https://pds.example"}, {}),
            ({"code_challenge_methods_supported": ["plain"]}, {}),
            ({"require_pushed_authorization_requests": False}, {}),
            ({"authorization_response_iss_parameter_supported": False}, {}),
            ({"protected_resources": ["https://pds.example"]}, {}),
            ({"authorization_endpoint": "javascript:alert(1)"}, {}),
            ({"authorization_endpoint": "https://pds.example/" + "a" * 100_000}, {}),
            ({"token_endpoint": "https://["}, {}),
            ({"pushed_authorization_request_endpoint": 7}, {}),
            ({}, {"authorization_servers": ["https://["]}),
            ({}, {"authorization_servers": [hostile.url, "https://pds.example"]}),
            ({}, {"resource": "https://pds.example"}),
        ):
            hostile.server, hostile.resource = server, resource
            deployment.clock.turn(11 * MINUTE + 1 * SECOND)  # so that the cached metadata is too old
            answer = await b.post("/sign-in/network", data={"identifier": EVE})
            assert answer.status_code == 502, (server, resource)
            assert hostile.sent == []


async def test_metadata_that_points_to_private_addresses_is_not_followed(
    deployment: Deployment, make_sqlite: MakeDatabase, hostile: Hostile
):
    """In production no request is sent to a PDS at a private address, an IP literal or plain http, wherever the address
    comes from.
    """
    db = await make_sqlite("openmeet", clock=deployment.clock)
    guarded = HttpClient(PUBLIC)
    servers = OAuthServers(guarded, deployment.clock, is_development=True)
    inside = hostile.url.replace("127.0.0.1", "localhost")
    documents = {
        EVE: document(EVE, hostile.url),
        ANA: document(ANA, inside),
        did(3): document(did(3), "https://localhost"),
    }
    async with site_with(deployment, db, documents, servers=servers) as site, site.browser() as b:
        for typed in (EVE, ANA, did(3), hostile.url, inside, "https://169.254.169.254"):
            answer = await b.post("/sign-in/network", data={"identifier": typed})
            assert answer.status_code == 400, typed
            assert 'id="identifier-problem"' in answer.text, typed
    await servers.close()
    await guarded.close()
    assert hostile.asked == 0


def pages_that_ask_for_proof() -> list[str]:
    """Where people come back to after they have signed in again."""
    templates = "".join(one.read_text() for one in Path(account.__path__[0], "templates").glob("*.html"))
    paths = re.findall(r'prove\(proof, "([^"]+)"', templates)
    assert len(paths) == templates.count("{{ prove(") > 5
    return sorted(paths)


@pytest.mark.parametrize(
    ("next_path", "prompts", "asked", "is_proof"),
    [
        *((path, ["none", "login"], "login", True) for path in pages_that_ask_for_proof()),
        ("/", ["none", "login"], None, False),
        ("/settings/delete", ["none"], None, False),
        ("/settings/delete", None, None, False),
    ],
)
async def test_only_a_server_that_was_told_to_prompt_gives_proof(
    deployment: Deployment,
    hostile: Hostile,
    next_path: str,
    prompts: list[str] | None,
    asked: str | None,
    is_proof: bool,
):
    """The proof is required for deleting the account and for adding a way to sign in. A server that does not declare
    support for ``prompt`` would ignore it.
    """
    hostile.subject = ANA
    hostile.server = {"prompt_values_supported": prompts} if prompts else {}
    if prompts is None:
        hostile.leaves_out = "prompt_values_supported"
    async with (
        site_with(deployment, deployment.db, {ANA: document(ANA, hostile.url)}) as site,
        site.browser() as browser,
    ):
        await site.start_sign_in(browser, ANA, next_path=next_path)
        (pushed,) = [form for path, form in hostile.sent if path == "/oauth/par"]
        assert pushed.get("prompt") == asked
        assert (await come_back(browser, hostile)).status_code == 303
        answer = await browser.post("/settings/delete", data={"confirm": ANA})
        assert answer.status_code == (303 if is_proof else 400)
