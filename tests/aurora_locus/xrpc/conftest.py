"""The methods of a PDS served on loopback, with sessions of its accounts."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from starlette.routing import Mount

from at_network.identity_resolver import IdentityResolver
from at_network.service_callers import ServiceCallers
from at_protocol.crypto.did_key import format_multikey
from at_protocol.data import json_form
from at_protocol.identity.did_document import DidDocument, parse_did_document
from at_protocol.lexicon.validate import validate_output
from at_protocol.syntax.did import Did
from at_protocol.syntax.handle import Handle
from aurora_locus.accounts import queries as accounts
from aurora_locus.accounts.credentials import CredentialReader
from aurora_locus.accounts.model import GuessContext, SessionScope
from aurora_locus.accounts.registry import Registry
from aurora_locus.accounts.session_tokens import SessionTokenSigner
from aurora_locus.federation.crawl_requests import CrawlRequests
from aurora_locus.federation.stream_slots import StreamSlots
from aurora_locus.moderation.labels import Labels
from aurora_locus.repository.repositories import Repositories
from aurora_locus.settings import PdsSettings
from aurora_locus.xrpc.callers import XrpcAuthenticator
from aurora_locus.xrpc.com_atproto_repo import table as repo
from aurora_locus.xrpc.com_atproto_sync import table as sync
from aurora_locus.xrpc.dispatch import MethodTable, dispatcher
from aurora_locus.xrpc.host import XrpcHost
from groundwork.cache.in_process import InProcessCache
from groundwork.clock import Clock
from groundwork.database.transaction import Writer
from groundwork.errors import NotFound
from groundwork.http.application import Application
from groundwork.http.cors import XRPC_EXPOSED, Cors
from groundwork.http.faults import render_xrpc
from groundwork.http.server import serving
from groundwork.rate_limit.open_ import EMBEDDED, open_counters
from groundwork.settings import Secret
from groundwork.telemetry.metrics import Metrics
from tests.aurora_locus.hosted_repository import CATALOG, HostedRepository
from tests.plain_http import NO_TLS
from tests.worker_pool import POOL

TOKENS = SessionTokenSigner(b"k" * 32, "did:web:localhost")


@dataclass(frozen=True)
class Client:
    """Calls methods as one person or anonymously. Every JSON response is checked against its Lexicon."""

    http: httpx.AsyncClient
    headers: dict[str, str]

    async def get(self, nsid: str, **parameters: Any) -> httpx.Response:
        return _as_documented(nsid, await self.http.get(f"/xrpc/{nsid}", params=parameters, headers=self.headers))

    async def post(self, nsid: str, body: Any = None, **options: Any) -> httpx.Response:
        return _as_documented(nsid, await self.http.post(f"/xrpc/{nsid}", json=body, headers=self.headers, **options))

    async def upload(self, content: bytes, content_type: str | None = "text/plain") -> httpx.Response:
        headers = self.headers if content_type is None else {**self.headers, "content-type": content_type}
        nsid = "com.atproto.repo.uploadBlob"
        return _as_documented(nsid, await self.http.post(f"/xrpc/{nsid}", content=content, headers=headers))


def _as_documented(nsid: str, answer: httpx.Response) -> httpx.Response:
    if answer.status_code == 200 and answer.headers.get("content-type") == "application/json":
        validate_output(CATALOG, nsid, json_form.decode(answer.content))
    return answer


def application(host: XrpcHost) -> Application:
    """A server with the methods for repositories and sync, without their limits."""
    table = MethodTable([*repo.METHODS, *sync.METHODS], sync.STREAMS)
    return Application(
        [Mount("/xrpc", dispatcher(host, table))],
        Metrics("aurora_locus"),
        render=render_xrpc,
        cors=[Cors(("/xrpc/",), XRPC_EXPOSED)],
        body_limit=table.body_limit,
        access_log=False,
    )


def open_host(repositories: Repositories, clock: Clock, people: dict[Did, HostedRepository]) -> XrpcHost:
    settings = PdsSettings(dev_mode=True)

    async def resolve_did(did: Did) -> DidDocument:
        key = format_multikey(people[did].key.public)
        document = {
            "id": did,
            "alsoKnownAs": ["at://ada.test"],
            "verificationMethod": [
                {"id": f"{did}#atproto", "type": "Multikey", "controller": did, "publicKeyMultibase": key}
            ],
        }
        return parse_did_document(document, did)

    async def nobody(handle: Handle) -> Did:
        raise NotFound(f"No account has the handle {handle}.", name="HandleNotFound")

    async def unasked(relay: str, hostname: str) -> str | None:
        raise AssertionError(f"{relay} was asked to read {hostname}")

    guess_context = GuessContext(repositories.db, b"key of sources", is_wide=True)
    counters = open_counters(EMBEDDED, prefix="")
    credentials = CredentialReader(repositories, TOKENS, Secret("secret"), clock, counters, guess_context)
    services = ServiceCallers(
        {"did:web:localhost"}, resolve_did, resolve_did, resolve_did, InProcessCache(clock), clock
    )
    return XrpcHost(
        settings=settings,
        # The methods for repositories and sync read neither.
        registry=cast("Registry", None),
        labels=cast("Labels", None),
        db=repositories.db,
        clock=clock,
        catalog=CATALOG,
        repositories=repositories,
        authenticate=XrpcAuthenticator(credentials, services),
        network=IdentityResolver(
            resolve_did=resolve_did,
            refresh_did=resolve_did,
            resolve_handle=nobody,
            refresh_handle=nobody,
            recheck_did=lambda _did: None,
        ),
        crawl_requests=CrawlRequests(
            unasked,
            clock,
            repositories.live,
            urls=(),
            hostname="localhost",
            memory=Path("unused"),
            count=lambda _outcome: None,
        ),
        streams=StreamSlots(is_limited=False),
        workers=POOL,
    )


async def sign_up(person: HostedRepository, name: str) -> None:
    """Create an account for a repository."""

    def work(w: Writer) -> None:
        accounts.insert(w, person.did, Handle(f"{name}.test"), email=None, password_hash=None)

    await person.repositories.db.write(work)


@pytest.fixture
async def served(
    repositories: Repositories, clock: Clock, ada: HostedRepository, ben: HostedRepository
) -> AsyncIterator[str]:
    """The URL of the server; Ada and Ben have accounts."""
    await sign_up(ada, "ada")
    await sign_up(ben, "ben")
    host = open_host(repositories, clock, {ada.did: ada, ben.did: ben})
    async with serving(application(host)) as server:
        yield server.url


@pytest.fixture
async def http(served: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(verify=NO_TLS, base_url=served, trust_env=False) as client:
        yield client


@pytest.fixture
def stranger(http: httpx.AsyncClient) -> Client:
    return Client(http, {})


@pytest.fixture
def as_ada(http: httpx.AsyncClient, ada: HostedRepository, clock: Clock) -> Client:
    return Client(http, {"authorization": f"Bearer {TOKENS.access(ada.did, SessionScope.FULL, clock.now())}"})


@pytest.fixture
def as_ben(http: httpx.AsyncClient, ben: HostedRepository, clock: Clock) -> Client:
    return Client(http, {"authorization": f"Bearer {TOKENS.access(ben.did, SessionScope.FULL, clock.now())}"})


@pytest.fixture
def as_admin(http: httpx.AsyncClient) -> Client:
    return Client(http, {"authorization": httpx.BasicAuth("admin", "secret")._auth_header})
