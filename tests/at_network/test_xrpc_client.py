"""Calls to another server: requests, all kinds of responses, and sessions that are refreshed once."""

import asyncio
import contextlib

import pytest
from aiohttp import web
from tests.at_network.peers import drop, serve

from at_network.bearer_session import (
    BearerSession,
    BearerTokens,
    create_session,
    delete_session,
    refresh_session,
)
from at_network.circuits import FIRST_PAUSE, OPENS_AFTER, Circuits, CircuitState
from at_network.pacing import RateLimitState, WriteBudgets
from at_network.xrpc_client import XrpcClient
from at_protocol.syntax.did import parse_did
from groundwork.clock import SECOND
from groundwork.errors import (
    Conflict,
    Forbidden,
    InvalidInput,
    NotFound,
    NotSignedIn,
    Refused,
    RemoteFailed,
    RemoteSlow,
    TooLarge,
    TooMany,
)

DID = parse_did("did:plc:4hodhjl2kposuchzvpiviwps")


class Server:
    """Records requests and answers as set."""

    def __init__(self) -> None:
        self.answer = lambda _request: web.json_response({"ok": True})
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.requests.append((request.method, request.path_qs, headers, await request.read()))
        return self.answer(request)


@pytest.fixture
def server():
    return Server()


@pytest.fixture
async def url(server):
    async with serve({"* /{path:.*}": server}) as at:
        yield at


@pytest.fixture
def client(http, clock, url):
    return XrpcClient(http, clock, url + "/")


async def test_query_encodes_its_parameters(client, server):
    answer = await client.query("com.example.get", {"a": "x y#", "b": True, "c": ["1", "2"], "d": None, "e": 5})
    method, path, headers, body = server.requests[0]
    assert answer == {"ok": True}
    assert (method, path, body) == ("GET", "/xrpc/com.example.get?a=x+y%23&b=true&c=1&c=2&e=5", b"")
    assert "authorization" not in headers


async def test_procedure_sends_json(client, server):
    await client.procedure("com.example.put", {"a": 1})
    method, path, headers, body = server.requests[0]
    assert (method, path, body) == ("POST", "/xrpc/com.example.put", b'{"a":1}')
    assert headers["content-type"] == "application/json"


async def test_procedure_without_input_sends_no_body(client, server):
    await client.procedure("com.example.do")
    _, _, headers, body = server.requests[0]
    assert body == b""
    assert headers.get("content-type") != "application/json"


async def test_empty_answer_is_an_empty_object(client, server):
    server.answer = lambda _request: web.Response()
    assert await client.procedure("com.example.do") == {}


async def test_upload_sends_bytes_and_their_media_type(client, server):
    await client.upload("com.atproto.repo.uploadBlob", b"\x00\x01", "image/png")
    _, _, headers, body = server.requests[0]
    assert (headers["content-type"], body) == ("image/png", b"\x00\x01")


async def test_download_returns_bytes(client, server):
    server.answer = lambda _request: web.Response(body=b"car", content_type="application/vnd.ipld.car")
    assert (await client.download("com.atproto.sync.getRecord", {}, max_bytes=10)).body == b"car"


async def test_stream_returns_every_piece(client, server):
    server.answer = lambda _request: web.Response(body=b"x" * 100_000)
    async with client.stream("com.atproto.sync.getRepo", {"did": DID}, max_bytes=200_000) as answer:
        assert sum([len(piece) async for piece in answer.pieces()]) == 100_000


@pytest.mark.parametrize(("status", "state"), [(200, CircuitState.CLOSED), (503, CircuitState.OPEN)])
async def test_outcome_of_a_stream_closes_or_opens_the_circuit(http, clock, url, server, status, state):
    """The outcome of a streamed response closes or opens the circuit: if reading a repository works, everybody may call
    the server again.
    """
    circuits = Circuits(clock)
    client = XrpcClient(http, clock, url, circuits=circuits)
    for _ in range(OPENS_AFTER):
        circuits.note(url, RemoteSlow("It did not answer in time."))
    clock.turn(FIRST_PAUSE)
    server.answer = lambda _request: web.Response(body=b"x", status=status)
    with contextlib.suppress(RemoteFailed):
        async with client.stream("com.atproto.sync.getRepo", {"did": DID}, max_bytes=10) as answer:
            assert [piece async for piece in answer.pieces()] == [b"x"]
    assert circuits.state_of(url) is state


async def test_stream_to_an_unreachable_server_opens_the_circuit(http, clock):
    """A stream to a server that does not listen opens the circuit like any other failed call."""
    nowhere = "http://127.0.0.1:1"
    circuits = Circuits(clock)
    client = XrpcClient(http, clock, nowhere, circuits=circuits)
    for _ in range(OPENS_AFTER):
        with pytest.raises(RemoteFailed):
            async with client.stream("com.atproto.sync.getRepo", {"did": DID}, max_bytes=10):
                raise AssertionError
    assert circuits.state_of(nowhere) is CircuitState.OPEN


async def test_failing_stream_has_the_errors_name(client, server):
    server.answer = lambda _request: web.json_response({"error": "RepoNotFound"}, status=400)
    with pytest.raises(NotFound) as failure:
        async with client.stream("com.atproto.sync.getRepo", {}, max_bytes=10):
            raise AssertionError
    assert failure.value.name == "RepoNotFound"


async def test_proxied_calls_name_the_service(http, clock, url, server):
    client = XrpcClient(http, clock, url, proxy_to="did:web:app.example.com#events")
    await client.query("com.example.get")
    assert server.requests[0][2]["atproto-proxy"] == "did:web:app.example.com#events"


@pytest.mark.parametrize(
    ("status", "name", "kind"),
    [
        (400, "InvalidRequest", InvalidInput),
        (400, "InvalidSwap", Conflict),
        (400, "RecordNotFound", NotFound),
        (400, "RepoNotFound", NotFound),
        (400, "RepoTakendown", Refused),
        (400, "ExpiredToken", NotSignedIn),
        (400, "InvalidToken", NotSignedIn),
        (401, "AuthMissing", NotSignedIn),
        (401, "AccountTakedown", NotSignedIn),
        (403, "Forbidden", Forbidden),
        (404, "XRPCNotSupported", NotFound),
        (409, "Anything", Conflict),
        (413, "PayloadTooLarge", TooLarge),
        (418, "Teapot", Refused),
        (500, "InternalServerError", RemoteFailed),
        (501, "MethodNotImplemented", Refused),
        (502, "UpstreamFailure", RemoteFailed),
        (503, "NotEnoughResources", RemoteFailed),
        (504, "UpstreamTimeout", RemoteSlow),
    ],
)
async def test_errors_have_kinds_and_keep_their_name(client, server, status, name, kind):
    server.answer = lambda _request: web.json_response({"error": name, "message": "because"}, status=status)
    with pytest.raises(kind) as failure:
        await client.query("com.example.get")
    assert failure.value.name == name
    assert "because" in failure.value.why


async def test_html_error_page_of_a_proxy_is_an_error(client, server):
    server.answer = lambda _request: web.Response(text="<html>Bad gateway</html>", status=502)
    with pytest.raises(RemoteFailed) as failure:
        await client.query("com.example.get")
    assert (failure.value.status, failure.value.name) == (502, "UpstreamFailure")


@pytest.mark.parametrize("body", ["<html>", "[]", '{"a":1,"a":2}'])
async def test_success_without_a_json_object_is_a_failure(client, server, body):
    server.answer = lambda _request: web.Response(text=body)
    with pytest.raises(RemoteFailed):
        await client.query("com.example.get")


async def test_redirects_are_not_followed(client, server):
    """Redirects are not followed, because credentials must not go to another server."""
    server.answer = lambda _request: web.Response(status=307, headers={"location": "/elsewhere"})
    with pytest.raises(RemoteFailed):
        await client.query("com.example.get")
    assert len(server.requests) == 1


async def test_procedure_with_a_lost_response_is_not_repeated(client, server):
    """A procedure whose response is lost is not sent again: it may have taken effect, and only the caller knows what to
    do.
    """
    server.answer = drop
    with pytest.raises(RemoteFailed):
        await client.procedure("com.example.do", {})
    assert len(server.requests) == 1


async def test_rate_limit_is_reported(client, server, clock):
    headers = {"RateLimit-Limit": "5000", "RateLimit-Remaining": "12", "RateLimit-Reset": "1700000060"}
    server.answer = lambda _request: web.json_response({}, headers=headers)
    await client.procedure("com.example.do")
    assert client.pace == RateLimitState(5000, 12, clock.now() + 60 * SECOND)


async def test_rate_limit_applies_to_all_clients_of_an_account(server, url, http, clock):
    """A rate limit reported to one client applies to all clients of the same account, and to no other account."""
    headers = {"RateLimit-Limit": "5000", "RateLimit-Remaining": "2", "RateLimit-Reset": "1700000060"}
    server.answer = lambda _request: web.json_response({}, headers=headers)
    paces = WriteBudgets()

    def of(account: str) -> XrpcClient:
        return XrpcClient(http, clock, url, paces=paces, account=account)

    await of("ana").procedure("com.atproto.repo.putRecord", {})
    with pytest.raises(TooMany) as failure:
        await of("ana").procedure("com.atproto.repo.createRecord", {})
    assert failure.value.after_seconds == 60.0
    await of("ana").query("com.example.get")
    await of("bob").procedure("com.atproto.repo.createRecord", {})
    clock.turn(60 * SECOND)
    await of("ana").procedure("com.atproto.repo.createRecord", {})
    assert len(server.requests) == 4


async def test_refusal_for_too_many_calls_says_when_to_try_again(client, server):
    server.answer = lambda _request: web.json_response({}, status=429, headers={"Retry-After": "17"})
    with pytest.raises(TooMany) as failure:
        await client.query("com.example.get")
    assert (failure.value.after_seconds, failure.value.name) == (17.0, "RateLimitExceeded")


# Sessions --------------------------------------------------------------------------------------------------------


class Accounts(Server):
    """A server with one account. Tokens are numbered, and only the newest access token and refresh token are valid."""

    def __init__(self) -> None:
        super().__init__()
        self.turn = 1
        self.refreshes = 0
        self.is_over = False
        self.answer = self.respond

    def session(self) -> web.Response:
        return web.json_response({"did": DID, "accessJwt": f"access{self.turn}", "refreshJwt": f"refresh{self.turn}"})

    def respond(self, request: web.Request) -> web.Response:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        match request.path.removeprefix("/xrpc/com.atproto.server."):
            case "createSession":
                return self.session()
            case "refreshSession":
                self.refreshes += 1
                if self.is_over or token != f"refresh{self.turn}":
                    return web.json_response({"error": "ExpiredToken"}, status=400)
                self.turn += 1
                return self.session()
            case "deleteSession":
                return web.Response(status=200 if token == f"refresh{self.turn}" else 401)
            case _:
                if token != f"access{self.turn}":
                    return web.json_response({"error": "ExpiredToken"}, status=400)
                return web.json_response({"seen": token})


@pytest.fixture
async def accounts():
    server = Accounts()
    async with serve({"* /{path:.*}": server}) as at:
        server.url = at  # type: ignore[attr-defined]  # for the tests
        yield server


def session_of(http, clock, accounts, turn, **more: object):
    tokens = BearerTokens(DID, f"access{turn}", f"refresh{turn}")
    session = BearerSession(http, clock, accounts.url, tokens, **more)
    return XrpcClient(http, clock, accounts.url, credentials=session), session


async def test_sign_in_returns_both_tokens(http, clock, accounts):
    tokens = await create_session(http, clock, accounts.url, "alice.test", "password")
    assert (tokens.did, tokens.access, tokens.refresh) == (DID, "access1", "refresh1")


async def test_tokens_do_not_print():
    assert "secret" not in repr(BearerTokens(DID, "secret1", "secret2"))


async def test_sign_out_sends_the_refresh_token(http, clock, accounts):
    """Signing out sends the refresh token, which identifies the session; the access token does not."""
    await delete_session(http, clock, accounts.url, BearerTokens(DID, "access1", "refresh1"))
    ((method, path, headers, body),) = accounts.requests
    assert (method, path, body) == ("POST", "/xrpc/com.atproto.server.deleteSession", b"")
    assert headers["authorization"] == "Bearer refresh1"


async def test_expired_session_is_refreshed_and_stored_before_use(http, clock, accounts):
    """An expired session is refreshed, and the new tokens are stored before the call is repeated, so that a crash in
    between loses nothing.
    """
    kept: list[tuple[str, int]] = []

    async def keep(tokens):
        kept.append((tokens.refresh, len(accounts.requests)))

    client, session = session_of(http, clock, accounts, 1, keep=keep)
    session.tokens = BearerTokens(DID, "access0", "refresh1")
    assert await client.query("com.example.get") == {"seen": "access2"}
    assert kept == [("refresh2", 2)]


async def test_many_expired_calls_refresh_once(http, clock, accounts):
    """Ten calls that fail together share one refresh, because a refresh token can be used once."""
    client, session = session_of(http, clock, accounts, 1)
    session.tokens = BearerTokens(DID, "access0", "refresh1")
    answers = await asyncio.gather(*(client.query("com.example.get") for _ in range(10)))
    assert answers == [{"seen": "access2"}] * 10
    assert accounts.refreshes == 1


async def test_ended_session_requires_signing_in(http, clock, accounts):
    client, session = session_of(http, clock, accounts, 1)
    session.tokens = BearerTokens(DID, "access0", "refresh1")
    accounts.is_over = True
    with pytest.raises(NotSignedIn):
        await client.query("com.example.get")


async def test_other_failures_do_not_refresh(http, clock, accounts):
    client, _ = session_of(http, clock, accounts, 1)
    accounts.answer = lambda _request: web.json_response({"error": "InvalidSwap"}, status=400)
    with pytest.raises(Conflict):
        await client.query("com.example.get")
    assert len(accounts.requests) == 1


async def test_endless_refusals_are_given_up(http, clock, accounts):
    """If a server refuses every fresh token, the client stops calling it."""
    client, _ = session_of(http, clock, accounts, 1)

    def refuse(request: web.Request) -> web.Response:
        if request.path.endswith("refreshSession"):
            return accounts.respond(request)
        return web.json_response({"error": "ExpiredToken"}, status=400)

    accounts.answer = refuse
    with pytest.raises(NotSignedIn):
        await client.query("com.example.get")
    assert accounts.refreshes == 2


async def test_another_accounts_session_is_refused(http, clock, accounts):
    other = parse_did("did:plc:aaaaaaaaaaaaaaaaaaaaaaaa")
    with pytest.raises(NotSignedIn):
        await refresh_session(http, clock, accounts.url, BearerTokens(other, "access1", "refresh1"))
