"""Calls to other servers: internal addresses are refused, and durations and sizes are limited."""

import asyncio
import datetime as dt
import ipaddress
import socket
import ssl
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from groundwork.database import open_transactions
from groundwork.errors import RemoteFailed, RemoteSlow
from groundwork.http.application import Application
from groundwork.http.client import HttpClient, NetworkInsideTransaction
from groundwork.http.reach import DEVELOPMENT, PUBLIC, AddressRefused, AllowedTargets
from groundwork.http.server import serving
from groundwork.telemetry.metrics import Metrics


class Names(AbstractResolver):
    """A DNS resolver with a table and a count of queries."""

    def __init__(self, **addresses: list[str]) -> None:
        self.addresses = addresses
        self.asked = 0

    async def resolve(self, host, port=0, family=socket.AF_UNSPEC):
        self.asked += 1
        found = self.addresses[host.replace(".", "_").replace("-", "_")]
        kinds = [socket.AF_INET6 if ":" in address else socket.AF_INET for address in found]
        return [
            {"hostname": host, "host": address, "port": port, "family": kind, "proto": 0, "flags": 0}
            for address, kind in zip(found, kinds, strict=True)
        ]

    async def close(self):
        pass


async def hello(request: Request) -> Response:
    seen = {name: request.headers[name] for name in ("authorization", "cookie", "x-kept") if name in request.headers}
    return JSONResponse({"hello": "world", "seen": seen})


async def hop(request: Request) -> Response:
    left = int(request.path_params["left"])
    return RedirectResponse(f"/hop/{left - 1}" if left else "/hello")


async def away(request: Request) -> Response:
    return RedirectResponse(request.query_params["to"])


async def large(_request: Request) -> Response:
    async def pieces():
        for _ in range(100):
            yield b"x" * 10_000

    return StreamingResponse(pieces())


async def never(_request: Request) -> Response:
    await asyncio.Event().wait()
    raise AssertionError


async def cut(_request: Request) -> Response:
    async def pieces():
        yield b"x"
        raise RuntimeError("broken")

    return StreamingResponse(pieces())


async def stall(_request: Request) -> Response:
    async def pieces():
        yield b"first"
        await asyncio.Event().wait()

    return StreamingResponse(pieces())


async def cookie(_request: Request) -> Response:
    return PlainTextResponse("x", headers={"set-cookie": "id=1"})


async def echo(request: Request) -> Response:
    return Response(await request.body(), media_type=request.headers["content-type"])


async def not_json(_request: Request) -> Response:
    return PlainTextResponse("<html>")


async def talk(talking: WebSocket) -> None:
    await talking.accept()
    async for piece in talking.iter_bytes():
        await talking.send_bytes(piece * 2)


ROUTES = [
    Route("/hello", hello),
    Route("/hop/{left}", hop, methods=["GET", "POST"]),
    Route("/away", away),
    Route("/large", large),
    Route("/never", never),
    Route("/cut", cut),
    Route("/stall", stall),
    Route("/cookie", cookie),
    Route("/echo", echo, methods=["POST"]),
    Route("/not-json", not_json),
    WebSocketRoute("/talk", talk),
]


@pytest.fixture
async def server():
    async with serving(Application(ROUTES, Metrics("test")), grace_seconds=0.01) as running:
        yield running


@asynccontextmanager
async def client_of(reach, resolver=None, origin_headers=None):
    client = HttpClient(reach, resolver=resolver, origin_headers=origin_headers)
    try:
        yield client
    finally:
        await client.close()


@pytest.fixture
async def client():
    async with client_of(DEVELOPMENT) as opened:
        yield opened


async def test_get_returns_status_and_json(server, client):
    answer = await client.get(f"{server.url}/hello")
    assert (answer.status, answer.is_ok, answer.json()["hello"]) == (200, True, "world")


async def test_posts_json(server, client):
    answer = await client.post_json(f"{server.url}/echo", {"a": 1})
    assert answer.json() == {"a": 1}


async def test_error_status_is_returned_as_a_response(server, client):
    answer = await client.get(f"{server.url}/nowhere")
    assert answer.status == 404
    with pytest.raises(RemoteFailed, match="status 404") as failed:
        answer.expect_ok()
    assert failed.value.status == 404


async def test_invalid_json_is_a_remote_failure(server, client):
    with pytest.raises(RemoteFailed, match="JSON"):
        (await client.get(f"{server.url}/not-json")).json()


# --- Which URLs may be called


@pytest.mark.parametrize(
    "url",
    [
        "http://town.net/",
        "ftp://town.net/",
        "file:///etc/passwd",
        "https://town.net:8443/",
        "https://user:pass@town.net/",
        "https://8.8.8.8/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://127.1/",
        "https://2130706433/",
        "https://0x7f.0.0.1/",
        "https://0177.0.0.1/",
        "https://town.net:99999/",
        "https://town..net/",
        "https://.town.net/",
        "https://täwn.net/",
        "https://town\u2024net/",
        "https://-town.net/",
        f"https://{'a' * 64}.net/",
        f"https://{'a.' * 127}net/",
        "https://town.net\\@evil.net/",
        "https://to wn.net/",
        "https://",
        "town.net",
        "",
    ],
)
async def test_hostile_urls_are_refused_before_any_lookup(url):
    names = Names()
    async with client_of(PUBLIC, resolver=names) as client:
        with pytest.raises(AddressRefused):
            await client.get(url)
    assert names.asked == 0


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["::1"],
        ["10.0.0.1"],
        ["169.254.169.254"],
        ["::ffff:10.0.0.1"],
        ["64:ff9b::7f00:1"],
        ["8.8.8.8", "127.0.0.1"],
    ],
)
async def test_name_with_a_private_address_is_refused(addresses):
    """A name with one private address among public ones is refused, because there is no legitimate use for such a name."""
    async with client_of(PUBLIC, resolver=Names(localhost_town_net=addresses)) as client:
        with pytest.raises(AddressRefused, match=r"localhost\.town\.net does not lead"):
            await client.get("https://localhost.town.net/")
        with pytest.raises(AddressRefused):
            async with client.websocket("wss://localhost.town.net/"):
                pass


async def test_socket_to_a_private_address_is_refused_even_without_the_resolver_check(server):
    """The socket check alone stops a connection to loopback, even if the resolver check is bypassed; everything else
    here is allowed.
    """
    async with client_of(
        AllowedTargets(plain_http=True, any_port=True), resolver=Names(town_net=["127.0.0.1"])
    ) as client:
        client._session.connector._resolver = Names(town_net=["127.0.0.1"])  # bypass the first check
        with pytest.raises(AddressRefused):
            await client.get(f"http://town.net:{server.port}/hello")


async def test_redirect_to_a_private_address_is_refused(server):
    """Each redirect target is checked like the first URL."""
    async with client_of(DEVELOPMENT) as client:
        for to in ("ftp://town.net/", "http://user@town.net/"):
            with pytest.raises(AddressRefused):
                await client.get(f"{server.url}/away?to={to}", redirects=3)
    reach = AllowedTargets(private_addresses=True, plain_http=True)
    async with client_of(reach) as client:
        with pytest.raises(AddressRefused, match="default port"):
            await client.get(f"{server.url}/hello")


async def test_redirects_are_returned_unless_requested(server, client):
    assert (await client.get(f"{server.url}/hop/0")).status == 307


async def test_three_redirects_are_followed_and_four_are_not(server, client):
    answer = await client.get(f"{server.url}/hop/2", redirects=3)
    assert (answer.status, answer.url) == (200, f"{server.url}/hello")
    with pytest.raises(RemoteFailed, match="too often"):
        await client.get(f"{server.url}/hop/3", redirects=9)


async def test_a_post_is_never_redirected(server, client):
    assert (await client.request("POST", f"{server.url}/hop/0", body=b"x", redirects=3)).status == 307


async def test_credentials_stay_with_their_origin(server):
    headers = {"authorization": "Bearer x", "cookie": "a=b", "x-kept": "1"}
    async with (
        serving(Application(ROUTES, Metrics("test"))) as other,
        client_of(DEVELOPMENT) as client,
    ):
        same = await client.get(f"{server.url}/hop/0", headers=headers, redirects=1)
        elsewhere = await client.get(f"{server.url}/away?to={other.url}/hello", headers=headers, redirects=1)
    assert same.json()["seen"] == headers
    assert elsewhere.json()["seen"] == {"x-kept": "1"}


async def test_no_cookie_is_kept(server, client):
    await client.get(f"{server.url}/cookie")
    assert "cookie" not in (await client.get(f"{server.url}/hello")).json()["seen"]


# --- Limits


async def test_a_body_over_the_cap_is_not_read(server, client):
    with pytest.raises(RemoteFailed, match="more than the limit of 500000 bytes"):
        await client.get(f"{server.url}/large", max_bytes=500_000)
    assert len((await client.get(f"{server.url}/large", max_bytes=1_000_000)).body) == 1_000_000


async def test_missing_response_raises_remote_slow(server, client):
    with pytest.raises(RemoteSlow):
        await client.get(f"{server.url}/never", timeout_seconds=0.01)


async def test_broken_response_is_a_failure(server, client):
    with pytest.raises(RemoteFailed, match="closed the connection"):
        await client.get(f"{server.url}/cut")


async def test_unreachable_server_is_a_failure(client):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(RemoteFailed, match="cannot be reached"):
        await client.get(f"http://127.0.0.1:{port}/")


async def test_headers_with_line_breaks_are_not_sent(server, client):
    """A header with a line break raises a programming error and is not sent."""
    with pytest.raises(ValueError, match="header"):
        await client.get(f"{server.url}/hello", headers={"x-kept": "a\r\nx: y"})


async def test_streaming_reads_piece_by_piece(server, client):
    async with client.stream("GET", f"{server.url}/large", max_bytes=1_000_000) as answer:
        assert sum([len(piece) async for piece in answer.pieces()]) == 1_000_000


async def test_streaming_has_a_size_and_time_limit(server, client):
    with pytest.raises(RemoteFailed):
        async with client.stream("GET", f"{server.url}/large", max_bytes=10) as answer:
            [piece async for piece in answer.pieces()]
    with pytest.raises(RemoteSlow):
        async with client.stream("GET", f"{server.url}/stall", max_bytes=1000, silence_seconds=0.01) as answer:
            [piece async for piece in answer.pieces()]


async def test_an_error_of_the_caller_passes_through_a_stream(server, client):
    """An error of the caller passes through a stream unchanged; only failures of the other server are translated."""
    with pytest.raises(ValueError, match="mine"):
        async with client.stream("GET", f"{server.url}/hello", max_bytes=1000):
            raise ValueError("mine")


# --- Sockets, transactions, certificates


async def test_websocket_sends_and_receives_binary_messages(server, client):
    async with client.websocket(f"ws://127.0.0.1:{server.port}/talk") as talking:
        await talking.send_bytes(b"ab")
        message = await talking.receive()
        assert (message.type, message.data) == (aiohttp.WSMsgType.BINARY, b"abab")


async def test_websocket_to_a_plain_route_is_a_failure_with_status(server, client):
    with pytest.raises(RemoteFailed, match="instead of a WebSocket") as failed:
        async with client.websocket(f"ws://127.0.0.1:{server.port}/hello"):
            pass
    assert failed.value.status in (400, 403, 404)


async def test_plain_websockets_are_refused_in_public():
    async with client_of(PUBLIC, resolver=Names()) as client:
        with pytest.raises(AddressRefused):
            async with client.websocket("ws://town.net/"):
                pass


async def test_calls_inside_a_transaction_are_refused(server, client):
    """A call inside a transaction is refused, because the other server would decide how long the lock is held."""
    mark = open_transactions.note_open_transaction()
    with pytest.raises(NetworkInsideTransaction):
        await client.get(f"{server.url}/hello")
    with pytest.raises(NetworkInsideTransaction):
        async with client.websocket(f"ws://127.0.0.1:{server.port}/talk"):
            pass
    mark.is_open = False
    assert (await client.get(f"{server.url}/hello")).is_ok


def certificate(folder):
    """A self-signed certificate for 127.0.0.1: the paths of its PEM file and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    start = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=36500))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, secret = folder / "cert.pem", folder / "key.pem"
    pem.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return pem, secret


async def test_certificates_are_checked_against_ssl_cert_file(tmp_path, monkeypatch):
    pem, secret = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, secret)

    async def answer(reader, writer):
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok")
            await writer.drain()
        finally:
            writer.close()

    listening = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    url = f"https://127.0.0.1:{listening.sockets[0].getsockname()[1]}/"
    async with listening:
        async with client_of(DEVELOPMENT) as stranger:
            with pytest.raises(RemoteFailed):
                await stranger.get(url)
        monkeypatch.setenv("SSL_CERT_FILE", str(pem))
        async with client_of(DEVELOPMENT) as knowing:
            assert (await knowing.get(url)).body == b"ok"


async def test_header_for_one_server_is_not_sent_to_another():
    """A header for one server is not sent to another one after a redirect."""
    async with (
        serving(Application(ROUTES, Metrics("test"))) as ours,
        serving(Application(ROUTES, Metrics("test"))) as other,
        client_of(DEVELOPMENT, origin_headers={ours.url: {"x-kept": "a secret"}}) as client,
    ):
        here = await client.get(f"{ours.url}/hello")
        there = await client.get(f"{other.url}/hello")
        led_away = await client.get(f"{ours.url}/away?to={other.url}/hello", redirects=1)
    assert here.json()["seen"] == {"x-kept": "a secret"}
    assert there.json()["seen"] == led_away.json()["seen"] == {}


async def test_requests_with_a_password_omit_the_origin_headers():
    """A request that proves a password is sent without the origin's extra headers."""
    async with serving(Application(ROUTES, Metrics("test"))) as ours:
        client = HttpClient(
            DEVELOPMENT,
            origin_headers={ours.url: {"x-kept": "a secret"}},
            omits_origin_headers=lambda target, headers: target.query_string == "proof" or "x-proof" in headers,
        )
        try:
            answers = [
                await client.get(f"{ours.url}/hello"),
                await client.get(f"{ours.url}/hello?proof"),
                await client.get(f"{ours.url}/hello", headers={"X-Proof": "yes"}),
            ]
        finally:
            await client.close()
    assert [answer.json()["seen"] for answer in answers] == [{"x-kept": "a secret"}, {}, {}]
