"""Resolving handles to DIDs, with a name server and a TLS host on loopback that may disagree."""

from contextlib import AsyncExitStack

import pytest
from aiohttp import web
from tests.at_network.peers import EveryName, certificate, name_server, serve
from tests.did_documents import account_document

from at_network.did_resolver import DidResolver, DidSettings
from at_network.handle_resolver import HandleLookups, HandleResolver, HandleSettings
from at_network.txt_records import Dns
from at_protocol.crypto import k256
from at_protocol.syntax.did import parse_did
from at_protocol.syntax.handle import INVALID, parse_handle
from groundwork.clock import HOUR, MINUTE
from groundwork.errors import NotFound, RemoteFailed, RemoteSlow
from groundwork.http.client import HttpClient
from groundwork.http.reach import DEVELOPMENT

ALICE = parse_handle("alice.example.com")
DID = parse_did("did:plc:4hodhjl2kposuchzvpiviwps")
OTHER = parse_did("did:plc:aaaaaaaaaaaaaaaaaaaaaaaa")
KEY = k256.K256PrivateKey.from_bytes(b"\x01" * 32).public
RECORD = f"_atproto.{ALICE}"


class World:
    """One domain that can name a DID by DNS and by HTTPS, and one directory. A test sets the response of each."""

    def __init__(self) -> None:
        self.https = lambda: web.Response(status=404)
        self.documents = {DID: ALICE}
        self.through: dict[str, object] = {}

    async def start(self, stack, clock, tmp_path, monkeypatch):
        trust, context = certificate(tmp_path, ALICE)
        monkeypatch.setenv("SSL_CERT_FILE", str(trust))
        self.names = await stack.enter_async_context(name_server({}, frozenset({ALICE})))
        tls = await stack.enter_async_context(serve({"GET /.well-known/atproto-did": self._https}, context))
        directory = await stack.enter_async_context(serve({"GET /{did}": self._document}))
        self.pds = await stack.enter_async_context(serve({"GET /xrpc/com.atproto.identity.resolveHandle": self._pds}))
        self.hosts = EveryName(int(tls.rpartition(":")[2]))
        self.http = HttpClient(DEVELOPMENT, resolver=self.hosts)
        stack.push_async_callback(self.http.close)
        self.clock = clock
        self.dids = DidResolver(self.http, clock, DidSettings(directory))
        stack.push_async_callback(self.dids.close)
        self.resolver = self.make(HandleSettings())
        stack.push_async_callback(self.resolver.close)

    def make(self, settings, *, timeout_seconds=30.0):
        dns = Dns(("127.0.0.1", self.names.port), timeout_seconds=timeout_seconds)
        return HandleResolver(self.http, self.dids, self.clock, settings, dns=dns)

    async def _https(self, _request):
        return self.https()

    async def _document(self, request):
        did = parse_did(request.match_info["did"])
        handle = self.documents.get(did, ...)
        if handle is ...:
            return web.json_response({}, status=404)
        return web.json_response(account_document(did, handle=handle, key=KEY, pds="https://pds.example.com"))

    async def _pds(self, request):
        did = self.through.get(request.query["handle"])
        if did is None:
            return web.json_response({"error": "HandleNotFound"}, status=400)
        return web.json_response({"did": did})


@pytest.fixture
async def world(clock, tmp_path, monkeypatch):
    async with AsyncExitStack() as stack:
        made = World()
        await made.start(stack, clock, tmp_path, monkeypatch)
        yield made


async def missing(world) -> str:
    with pytest.raises(NotFound) as failure:
        await world.resolver.resolve(ALICE)
    assert failure.value.name == "HandleNotFound"
    return failure.value.why


async def test_handle_is_resolved_by_dns(world):
    world.names.records = {RECORD: [f'"did={DID}"']}
    assert await world.resolver.resolve(ALICE) == DID


async def test_chunks_of_a_record_are_joined(world):
    world.names.records = {RECORD: [f'"did={DID[:10]}" "{DID[10:]}"', '"v=spf1 -all"']}
    assert await world.resolver.resolve(ALICE) == DID


async def test_handle_is_resolved_by_https(world):
    world.https = lambda: web.Response(text=f"{DID}\n", content_type="text/html")
    assert await world.resolver.resolve(ALICE) == DID


async def test_dns_has_priority_over_https(world):
    world.names.records = {RECORD: [f'"did={DID}"']}
    world.https = lambda: web.Response(text=OTHER)
    assert await world.resolver.resolve(ALICE) == DID


@pytest.mark.parametrize("texts", [[f'"did={DID}"', f'"did={OTHER}"'], ['"did= spaced"'], ['"did="']])
async def test_contradictory_claims_of_a_domain_are_a_failure(world, texts):
    """Two DNS claims, or an invalid one, are a failure that HTTPS does not override."""
    world.names.records = {RECORD: texts}
    world.https = lambda: web.Response(text=DID)
    await missing(world)


async def test_upper_case_prefix_is_not_a_claim(world):
    world.names.records = {RECORD: [f'"DID={DID}"']}
    await missing(world)


@pytest.mark.parametrize(
    "answer",
    [
        lambda: web.Response(status=404),
        lambda: web.Response(text="<html>welcome</html>"),
        lambda: web.Response(text=""),
        lambda: web.Response(text="<html>" + "No such page. " * 1000, status=404),
        lambda: web.Response(text="<html>" + "Welcome. " * 1000),
    ],
)
async def test_not_found_means_no_account(world, answer):
    """A page instead of a DID means that there is no such account, however long it is."""
    world.https = answer
    await missing(world)


async def test_domain_without_an_address_has_no_account(world):
    """A name without an address means that there is no such account."""
    world.hosts.unknown = frozenset({ALICE})
    world.names.hosts = frozenset()
    await missing(world)


async def test_unreachable_host_is_a_temporary_failure(world):
    """A web host that cannot be reached is a temporary failure, not a missing account."""
    world.hosts.unknown = frozenset({ALICE})
    with pytest.raises(RemoteFailed):
        await world.resolver.resolve(ALICE)


@pytest.mark.parametrize("text", ["", "<html>" + "Come back later. " * 1000])
async def test_failing_host_is_a_temporary_failure(world, text):
    world.https = lambda: web.Response(text=text, status=503)
    with pytest.raises(RemoteFailed):
        await world.resolver.resolve(ALICE)


async def test_silent_name_server_is_a_temporary_failure(world):
    world.names.is_silent = True
    impatient = world.make(HandleSettings(), timeout_seconds=0.01)
    with pytest.raises(RemoteSlow):
        await impatient.resolve(ALICE)
    await impatient.close()


async def test_failing_name_server_is_a_temporary_failure(world):
    world.names.is_failing = True
    with pytest.raises(RemoteFailed):
        await world.resolver.resolve(ALICE)


async def test_https_is_used_if_dns_fails(world):
    world.names.is_failing = True
    world.https = lambda: web.Response(text=DID)
    assert await world.resolver.resolve(ALICE) == DID


async def test_endless_body_is_not_a_did(world):
    world.https = lambda: web.Response(body=DID.encode() + b" " * 10_000_000)
    await missing(world)


@pytest.mark.parametrize("handle", ["handle.invalid", "alice.local", "alice.test", "a.onion", "localhost.localhost"])
async def test_reserved_names_are_never_looked_up(world, handle):
    with pytest.raises(NotFound):
        await world.resolver.resolve(parse_handle(handle))
    assert world.names.asked == []


async def test_development_resolves_through_a_pds(world):
    """In development a handle is resolved through the PDS, because a network on one laptop has no domains."""
    resolver = world.make(HandleSettings(is_development=True, through_pds=(world.pds,)))
    world.through = {"alice.test": DID}
    assert await resolver.resolve(parse_handle("alice.test")) == DID
    with pytest.raises(NotFound):
        await resolver.resolve(parse_handle("bob.test"))
    assert world.names.asked == []


async def test_handle_unknown_to_the_pds_is_resolved(world):
    resolver = world.make(HandleSettings(is_development=True, through_pds=(world.pds,)))
    world.names.records = {RECORD: [f'"did={DID}"']}
    assert await resolver.resolve(ALICE) == DID


async def test_handle_is_valid_only_if_the_did_document_names_it(world):
    world.names.records = {RECORD: [f'"did={DID}"']}
    identity = await world.resolver.identities.identify(ALICE)
    assert (identity.did, identity.handle, identity.document.did) == (DID, ALICE, DID)
    assert (await world.resolver.identities.identify(DID)).handle == ALICE


async def test_handle_that_the_account_does_not_claim(world):
    """A handle is invalid if the account's document does not claim it, because any domain can point at any DID."""
    world.names.records = {RECORD: [f'"did={DID}"']}
    world.documents = {DID: parse_handle("someone.example.org")}
    with pytest.raises(NotFound):
        await world.resolver.identities.identify(ALICE)


async def test_mismatched_handle_is_shown_as_invalid(world):
    world.names.records = {RECORD: [f'"did={OTHER}"']}
    assert (await world.resolver.identities.identify(DID)).handle == INVALID


async def test_account_without_handle(world):
    world.documents = {DID: None}
    assert (await world.resolver.identities.identify(DID)).handle == INVALID


async def test_mismatch_refreshes_both_cached_sides(world):
    """Before a handle is called invalid, both cached sides are fetched again."""
    world.names.records = {RECORD: [f'"did={DID}"']}
    await world.resolver.identities.identify(ALICE)
    world.clock.turn(MINUTE)
    world.documents = {OTHER: ALICE, DID: None}
    world.names.records = {RECORD: [f'"did={OTHER}"']}
    world.dids.recheck(DID)
    assert (await world.resolver.identities.identify(ALICE)).did == OTHER


async def test_known_handle_survives_an_outage(world):
    world.names.records = {RECORD: [f'"did={DID}"']}
    await world.resolver.resolve(ALICE)
    world.names.is_failing = True
    world.https = lambda: web.Response(status=500)
    world.clock.turn(HOUR)
    assert await world.resolver.resolve(ALICE) == DID


async def test_dns_and_https_are_reported_separately_and_uncached(world):
    """While a person sets up a handle, the results of DNS and HTTPS are reported separately. They never come from the
    cache, and failures are returned as values.
    """
    assert await world.resolver.look_up_both_ways(ALICE) == HandleLookups(None, None)
    world.names.records = {RECORD: [f'"did={DID}"']}
    world.https = lambda: web.Response(text=OTHER)
    assert await world.resolver.look_up_both_ways(ALICE) == HandleLookups(DID, OTHER)
    world.names.is_failing = True
    world.https = lambda: web.Response(status=500)
    ways = await world.resolver.look_up_both_ways(ALICE)
    assert isinstance(ways.by_dns, RemoteFailed)
    assert isinstance(ways.by_https, RemoteFailed)
    assert await world.resolver.look_up_both_ways(parse_handle("alice.test")) == HandleLookups(None, None)
