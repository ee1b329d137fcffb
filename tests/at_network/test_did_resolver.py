"""Resolving DIDs to documents, with a directory and web hosts on loopback."""

import asyncio
import string
import tracemalloc

import pytest
from aiohttp import web
from tests.at_network.peers import EveryName, certificate, drop, serve
from tests.did_documents import account_document

from at_network.did_resolver import DidResolver, DidSettings
from at_protocol.crypto import k256
from at_protocol.syntax.did import parse_did
from at_protocol.syntax.handle import parse_handle
from groundwork.clock import HOUR, MINUTE
from groundwork.errors import InvalidInput, NotFound, RemoteFailed, RemoteSlow
from groundwork.http.client import HttpClient
from groundwork.http.reach import DEVELOPMENT

DID = parse_did("did:plc:4hodhjl2kposuchzvpiviwps")
KEY = k256.K256PrivateKey.from_bytes(b"\x01" * 32).public


def document(did=DID, handle="alice.example.com"):
    return account_document(did, handle=parse_handle(handle), key=KEY, pds="https://pds.example.com")


class Host:
    """A directory or web host with answers set by the test."""

    def __init__(self) -> None:
        self.answer = lambda: web.json_response(document())
        self.asked = 0

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        self.asked += 1
        answered = self.answer()
        if isinstance(answered, str):
            return drop(request)
        return answered


@pytest.fixture
def directory():
    return Host()


@pytest.fixture
async def resolver(http, clock, directory):
    async with serve({"GET /{did}": directory}) as url:
        made = DidResolver(http, clock, DidSettings(url + "/"))
        yield made
        await made.close()


async def test_did_plc_is_resolved(resolver):
    found = await resolver.resolve(DID)
    assert (found.did, found.handle, found.pds) == (DID, "alice.example.com", "https://pds.example.com")
    assert found.signing_key == KEY


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        (lambda: web.json_response({"message": "DID not registered"}, status=404), "DidNotFound"),
        (lambda: web.json_response({"message": "DID not registered: DID not available"}, status=404), "DidNotFound"),
        (lambda: web.Response(text="DID not available", status=404), "DidNotFound"),
        (lambda: web.json_response({"message": f"DID not available: {DID}"}, status=404), "DidDeactivated"),
        (lambda: web.Response(status=410), "DidDeactivated"),
    ],
)
async def test_unknown_and_tombstoned_dids_are_different_errors(resolver, directory, answer, name):
    """An unknown DID and a tombstoned one are different errors. Both forms of a tombstone are understood."""
    directory.answer = answer
    with pytest.raises(NotFound) as failure:
        await resolver.resolve(DID)
    assert failure.value.name == name


@pytest.mark.parametrize(
    "answer",
    [
        lambda: web.Response(status=500),
        lambda: web.Response(text="<html>"),
        lambda: web.json_response([]),
        lambda: web.json_response(document(parse_did("did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"))),
        lambda: web.Response(status=302, headers={"location": "/elsewhere"}),
        lambda: web.Response(body=b" " * 300_000),
        lambda: "drop",
    ],
)
async def test_invalid_response_is_a_failure_of_the_other_server(resolver, directory, answer):
    """A response that is not a document of this DID counts as a failure of the other server and says nothing about the
    DID.
    """
    directory.answer = answer
    with pytest.raises(RemoteFailed):
        await resolver.resolve(DID)


async def test_cached_identity_is_used_while_the_directory_is_down(resolver, directory, clock):
    await resolver.resolve(DID)
    directory.answer = lambda: web.Response(status=503)
    clock.turn(20 * HOUR)
    for _ in range(3):
        assert (await resolver.resolve(DID)).did == DID


async def test_tombstone_takes_effect_at_once(resolver, directory):
    """After ``#identity``, a tombstone takes effect at once."""
    await resolver.resolve(DID)
    directory.answer = lambda: web.Response(status=410)
    resolver.recheck(DID)
    with pytest.raises(NotFound):
        await resolver.resolve(DID)


async def test_refresh_finds_the_rotated_key(resolver, directory, clock):
    """When a signature fails, a refresh of the document finds the new key."""
    await resolver.resolve(DID)
    other = k256.K256PrivateKey.from_bytes(b"\x02" * 32).public
    directory.answer = lambda: web.json_response(
        account_document(DID, handle=None, key=other, pds="https://pds.example.com")
    )
    clock.turn(MINUTE)
    assert (await resolver.refresh(DID)).signing_key == other


async def test_concurrent_callers_share_one_request(resolver, directory):
    await asyncio.gather(*(resolver.resolve(DID) for _ in range(20)))
    assert directory.asked == 1


@pytest.mark.parametrize(
    "did",
    [
        "did:plc:asdf123",
        "did:key:zQ3shXjHeiBuRCKmM36cuYnm7YEMzhGnCmCyW92sRJ9pribSF",
        "did:web:example.com:path",
        "did:web:example.com%3A8080",
        "did:web:localhost%3A1234",
        "did:web:server.local",
        "did:web:host.test",
        "did:web:127.0.0.1",
        "did:web:169.254.169.254",
    ],
)
async def test_unsupported_dids_are_not_requested(resolver, directory, did):
    with pytest.raises(InvalidInput) as failure:
        await resolver.resolve(parse_did(did))
    assert failure.value.name == "UnresolvableDid"
    assert directory.asked == 0


async def test_web_on_localhost_in_development(http, clock):
    """In development, a did:web may name a port of this machine."""
    host = Host()
    async with serve({"GET /.well-known/did.json": host}) as url:
        did = parse_did("did:web:localhost%3A" + url.rpartition(":")[2])
        host.answer = lambda: web.json_response(document(did))
        resolver = DidResolver(http, clock, DidSettings("http://127.0.0.1:1", is_development=True))
        assert (await resolver.resolve(did)).did == did


async def test_did_web_is_resolved_over_https(clock, tmp_path, monkeypatch):
    """did:web is resolved over TLS at the well-known path of the host, in lower case."""
    trust, context = certificate(tmp_path, "accounts.example.com")
    monkeypatch.setenv("SSL_CERT_FILE", str(trust))
    did, host = parse_did("did:web:accounts.example.com"), Host()
    host.answer = lambda: web.json_response(document(did))
    async with serve({"GET /.well-known/did.json": host}, context) as url:
        http = HttpClient(DEVELOPMENT, resolver=EveryName(int(url.rpartition(":")[2])))
        resolver = DidResolver(http, clock, DidSettings("http://127.0.0.1:1"))
        assert (await resolver.resolve(did)).did == did
        await http.close()


async def test_slow_directory_raises_remote_slow(http, clock, monkeypatch):
    monkeypatch.setattr("at_network.did_resolver.TIMEOUT_SECONDS", 0.01)
    never = asyncio.Event()

    async def hang(_request: web.Request) -> web.StreamResponse:
        await never.wait()
        raise AssertionError

    async with serve({"GET /{did}": hang}) as url:
        with pytest.raises(RemoteSlow):
            await DidResolver(http, clock, DidSettings(url)).resolve(DID)


async def test_second_directory_is_asked_about_dids_unknown_to_the_first(http, clock, directory):
    """A second directory is queried only for DIDs that the first does not have. A tombstone or failure of the first is
    final.
    """
    second = Host()
    async with serve({"GET /{did}": directory}) as url, serve({"GET /{did}": second}) as other:
        resolver = DidResolver(http, clock, DidSettings(url, other))
        directory.answer = lambda: web.Response(status=404)
        assert (await resolver.resolve(DID)).did == DID
        for status, kind in ((410, NotFound), (503, RemoteFailed)):
            clock.turn(48 * HOUR)
            directory.answer = lambda status=status: web.Response(status=status)
            with pytest.raises(kind):
                await resolver.resolve(DID)
        assert second.asked == 1
        await resolver.close()


async def test_known_makes_no_request(http, clock, directory):
    """``known`` makes no request. It returns None for an identity that is not cached, is marked for a recheck, or is
    too old.
    """
    async with serve({"GET /{did}": directory}) as url:
        resolver = DidResolver(http, clock, DidSettings(url))
        assert resolver.cached_document(DID) is None
        await resolver.resolve(DID)
        assert resolver.cached_document(DID) is not None
        resolver.recheck(DID)
        assert resolver.cached_document(DID) is None
        await resolver.resolve(DID)
        clock.turn(25 * HOUR)
        assert resolver.cached_document(DID) is None
        assert directory.asked == 2
        await resolver.close()


async def test_document_of_very_many_lists_is_refused(resolver, directory):
    """A few bytes of JSON can take many times as much in memory, so such a document is refused before it is parsed."""
    directory.answer = lambda: web.json_response({**document(), "x": [[]] * 2_000})
    with pytest.raises(RemoteFailed, match="lists and objects"):
        await resolver.resolve(DID)


@pytest.mark.parametrize("entry", ["é", {}, 1.5])
async def test_documents_of_strangers_take_bounded_memory(http, clock, entry):
    """Documents that are as expensive as the limits allow do not take more than the cache may, however many there are."""
    count = 900 if entry == {} else 5_000

    async def answer(request: web.Request) -> web.StreamResponse:
        return web.json_response({**document(parse_did(request.match_info["did"])), "x": [entry] * count})

    async with serve({"GET /{did}": answer}) as url:
        resolver = DidResolver(http, clock, DidSettings(url, max_bytes=200_000))
        letters = string.ascii_lowercase[:6]
        dids = [parse_did(f"did:plc:{'a' * 22}{one}{other}") for one in letters for other in letters]
        await resolver.resolve(dids[0])
        tracemalloc.start()
        try:
            for did in dids:
                await resolver.resolve(did)
            assert tracemalloc.get_traced_memory()[0] < 500_000
        finally:
            tracemalloc.stop()
        await resolver.close()
