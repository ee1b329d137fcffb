"""Metadata and keys of clients, fetched over real sockets from servers that misbehave."""

import tracemalloc
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route, Router

from at_protocol.crypto.jwk import to_jwk
from at_protocol.failures import Malformed
from at_protocol.oauth.client_id import ClientId
from aurora_locus.oauth.clients import MAX_BYTES, Clients, over_http
from groundwork.clock import MINUTE, HandClock
from groundwork.errors import Failure, RemoteFailed
from groundwork.http.client import HttpClient
from groundwork.http.reach import DEVELOPMENT, PUBLIC, AddressRefused
from groundwork.http.server import serving
from tests.aurora_locus.oauth.apps import document, fresh_key

KEY = fresh_key()


@dataclass
class Site:
    """A client's site: its responses, and how often it was called."""

    url: str = ""
    body: bytes = b"{}"
    kind: str = "application/json"
    status: int = 200
    keys: dict[str, object] = field(default_factory=dict)
    asked: int = 0

    async def answer(self, _request: Request) -> Response:
        self.asked += 1
        return Response(self.body, self.status, media_type=self.kind)

    async def jwks(self, _request: Request) -> Response:
        self.asked += 1
        return Response(msgspec.json.encode({"keys": list(self.keys.values())}), media_type="application/json")


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    site = Site()

    async def elsewhere(_request: Request) -> Response:
        return RedirectResponse(f"{site.url}/client.json", 302)

    router = Router(
        [Route("/client.json", site.answer), Route("/moved.json", elsewhere), Route("/jwks.json", site.jwks)]
    )
    async with serving(router) as served:
        site.url = served.url
        yield site


@pytest.fixture
async def http() -> AsyncIterator[HttpClient]:
    client = HttpClient(DEVELOPMENT)
    yield client
    await client.close()


async def test_only_a_plain_json_response_is_accepted(site: Site, http: HttpClient) -> None:
    """Client metadata is accepted only with status 200, as JSON, without a redirect and up to 64 KiB."""
    fetch, url = over_http(http), f"{site.url}/client.json"
    assert await fetch(url) == b"{}"
    refused = []
    for changes in ({"status": 404}, {"status": 203}, {"kind": "text/html"}, {"body": b"x" * (MAX_BYTES + 1)}):
        for name, value in {"status": 200, "kind": "application/json", "body": b"{}", **changes}.items():
            setattr(site, name, value)
        with pytest.raises(RemoteFailed) as failure:
            await fetch(url)
        refused.append(failure.value.why)
    assert len(set(refused)) == 4
    site.body = b"{}"
    with pytest.raises(RemoteFailed):
        await fetch(f"{site.url}/moved.json")


async def test_clients_at_private_addresses_are_refused(site: Site) -> None:
    """A client at a private address is refused (invariant 7)."""
    http = HttpClient(PUBLIC)
    for url in (f"{site.url}/client.json", "https://127.0.0.1/client.json", "https://localhost/client.json"):
        with pytest.raises((AddressRefused, RemoteFailed)):
            await over_http(http)(url)
    await http.close()
    assert site.asked == 0


async def test_unknown_key_causes_a_new_fetch(site: Site, http: HttpClient, clock: HandClock) -> None:
    """An unknown key makes the keys be fetched again: a new one is accepted within seconds, a removed one is refused
    after ten minutes at most.
    """
    first, second = fresh_key(), fresh_key()
    client_id = ClientId(f"{site.url}/client.json")
    described = document(client_id, {"first": first}, jwks_uri=f"{site.url}/jwks.json")
    del described["jwks"]
    site.body = msgspec.json.encode(described)
    site.keys = {"first": {**to_jwk(first.public), "kid": "first"}}
    clients = Clients(over_http(http), clock, is_development=True)
    metadata = await clients.find(client_id)
    found = await clients.key(metadata, "first")
    assert found is not None
    assert found.public == first.public
    assert await clients.key(metadata, "second") is None
    site.keys["second"] = {**to_jwk(second.public), "kid": "second"}
    del site.keys["first"]
    clock.turn(MINUTE)
    assert (await clients.key(metadata, "second")) is not None
    assert await clients.key(metadata, "first") is None
    await clients.close()


async def test_documents_and_keys_of_many_clients_take_bounded_memory(clock: HandClock) -> None:
    """Documents that are as expensive in memory as the limits allow do not add up, however many clients there are."""

    async def fetch(url: str) -> bytes:
        if url.endswith("jwks.json"):
            keys = [{**to_jwk(KEY.public), "kid": f"{number}{'k' * 4_000}"} for number in range(10)]
            return msgspec.json.encode({"keys": keys})
        links = dict.fromkeys(("logo_uri", "tos_uri", "policy_uri"), f"https://app.example.com/{'a' * 2000}")
        redirects = [f"https://app.example.com/{number}{'b' * 400}" for number in range(100)]
        scopes = ["atproto", *(f"rpc:{number}" for number in range(499))]
        described = document(url, {"first": KEY}, jwks_uri=f"{url}/jwks.json", redirect_uris=redirects, **links)
        del described["jwks"]
        return msgspec.json.encode({**described, "scope": " ".join(scopes), "client_name": "n" * 5_000})

    clients = Clients(fetch, clock, is_development=True, cache_bytes=500_000)
    metadata = await clients.find(ClientId("https://app.example.com/client.json"))
    await clients.key(metadata, "first")
    tracemalloc.start()
    try:
        for number in range(30):
            found = await clients.find(ClientId(f"https://app.example.com/{number}/client.json"))
            await clients.key(found, "first")
        assert tracemalloc.get_traced_memory()[0] < 1_500_000
    finally:
        tracemalloc.stop()
        await clients.close()


@pytest.mark.parametrize(
    "changes",
    [
        {"scope": " ".join(["atproto", *(f"rpc:{number}" for number in range(500))])},
        {"policy_uri": f"https://app.example.com/{'a' * 2_100}"},
        {"more": [[]] * 2_000},
    ],
)
async def test_document_beyond_the_limits_is_refused(
    site: Site, http: HttpClient, clock: HandClock, changes: dict[str, Any]
) -> None:
    client_id = ClientId(f"{site.url}/client.json")
    site.body = msgspec.json.encode({**document(client_id, {"first": KEY}), **changes})
    clients = Clients(over_http(http), clock, is_development=True)
    with pytest.raises(Malformed, match="more than"):
        await clients.find(client_id)
    await clients.close()


async def test_invalid_document_is_not_fetched_for_each_request(site: Site, http: HttpClient, clock: HandClock) -> None:
    site.body = b'{"client_id": "another"}'
    clients = Clients(over_http(http), clock, is_development=True)
    for _ in range(3):
        with pytest.raises(Malformed):
            await clients.find(ClientId(f"{site.url}/client.json"))
    assert site.asked == 1
    site.body = b"not json"
    clock.turn(MINUTE)
    with pytest.raises((Malformed, Failure)):
        await clients.find(ClientId(f"{site.url}/client.json"))
    await clients.close()
