"""Request bodies over real sockets: limits and compression."""

import gzip
import random
import zlib
from collections.abc import AsyncIterator

import aiohttp
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from groundwork.http.application import Application
from groundwork.http.bodies import decompressor_of
from groundwork.http.faults import render_problem
from groundwork.http.server import HttpServer, serving
from groundwork.telemetry.metrics import Metrics

LIMIT = 100_000


async def echo(request: Request) -> Response:
    return PlainTextResponse(await request.body())


async def count(request: Request) -> Response:
    total = 0
    async for piece in request.stream():
        total += len(piece)
    return PlainTextResponse(str(total))


@pytest.fixture
async def server() -> AsyncIterator[HttpServer]:
    routes = [Route("/echo", echo, methods=["POST"]), Route("/count", count, methods=["POST"])]
    application = Application(routes, Metrics("test"), render=render_problem, body_limit=LIMIT)
    async with serving(application) as running:
        yield running


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as opened:
        yield opened


async def test_body_at_the_limit_passes_and_one_byte_more_does_not(server: HttpServer, session):
    async with session.post(f"{server.url}/count", data=b"x" * LIMIT) as response:
        assert await response.text() == str(LIMIT)
    async with session.post(f"{server.url}/count", data=b"x" * (LIMIT + 1)) as response:
        assert response.status == 413


async def test_chunked_body_is_counted_while_it_arrives(server: HttpServer, session):
    """A chunked body without a length is cut off at the limit on every route."""

    async def endless():
        for _ in range(200):
            yield b"x" * 1000

    for path in ("count", "echo"):
        async with session.post(f"{server.url}/{path}", data=endless()) as response:
            assert response.status == 413


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
async def test_compressed_bodies_are_decompressed(server: HttpServer, session, encoding, pack):
    plain = bytes(range(256)) * 300
    async with session.post(f"{server.url}/echo", data=pack(plain), headers={"content-encoding": encoding}) as response:
        assert await response.read() == plain


@pytest.mark.parametrize("chunk", [1, 7, 100_000])
async def test_members_of_a_gzip_body_are_joined(server: HttpServer, session, chunk):
    """However they are divided into chunks, and including empty members (RFC 1952 2.2)."""
    parts = [b"first ", b"", bytes(70_000), b"second", b"third", *[b"x"] * 995]
    packed = b"".join(gzip.compress(part, mtime=0) for part in parts)

    async def chunks():
        for start in range(0, 2000 if chunk == 1 else len(packed), chunk):
            yield packed[start : start + chunk]
        if chunk == 1:
            yield packed[2000:]

    async with session.post(f"{server.url}/echo", data=chunks(), headers={"content-encoding": "gzip"}) as response:
        assert await response.read() == b"".join(parts)


async def test_body_limit_counts_bytes_of_all_members(server: HttpServer, session):
    bomb = gzip.compress(b"\0" * (LIMIT // 50), mtime=0) * 51
    async with session.post(f"{server.url}/count", data=bomb, headers={"content-encoding": "gzip"}) as response:
        assert response.status == 413


async def test_a_deflated_body_has_one_part(server: HttpServer, session):
    body = zlib.compress(b"x") * 2
    async with session.post(f"{server.url}/echo", data=body, headers={"content-encoding": "deflate"}) as response:
        assert response.status == 400


async def test_body_limit_counts_decompressed_bytes(server: HttpServer, session):
    """The limit counts decompressed bytes: a bomb of 50 MB costs no more than the limit and is refused."""
    bomb = gzip.compress(b"\0" * 50_000_000, mtime=0)
    assert len(bomb) < LIMIT
    async with session.post(f"{server.url}/count", data=bomb, headers={"content-encoding": "gzip"}) as response:
        assert response.status == 413


@pytest.mark.parametrize(
    ("encoding", "beginning", "rest"),
    [
        ("gzip", b"\x1f\x8b\x08\x08" + bytes(6), b"n" * 1000),  # the name of a file, which ends with a zero byte
        ("deflate", b"\x78\x9c", b"\x00\x00\x00\xff\xff" * 200),  # empty blocks
    ],
)
async def test_compressed_body_that_contains_nothing_ends_at_the_limit(
    server: HttpServer, session, encoding, beginning, rest
):
    """The bytes that arrive are limited too, although they decompress to nothing."""

    async def chunks():
        yield beginning
        for _ in range(LIMIT // len(rest) + 50):
            yield rest

    headers = {"content-encoding": encoding}
    async with session.post(f"{server.url}/count", data=chunks(), headers=headers) as response:
        assert response.status == 413


@pytest.mark.parametrize(
    "body",
    [
        b"not gzip",
        gzip.compress(b"x" * 1000, mtime=0)[:-9],
        gzip.compress(b"x", mtime=0) + b"more",
        gzip.compress(b"y" * 5000, mtime=0)[:-4] + b"abcd",
        gzip.compress(b"x", mtime=0) + gzip.compress(b"x" * 1000, mtime=0)[:-9],
        gzip.compress(b"x", mtime=0) * 1001,
    ],
)
async def test_damaged_compressed_bodies_are_bad_requests(server: HttpServer, session, body):
    async with session.post(f"{server.url}/echo", data=body, headers={"content-encoding": "gzip"}) as response:
        assert response.status == 400


@pytest.mark.parametrize("encoding", ["gzip, gzip", "br, gzip", "zstd"])
async def test_other_encodings_are_415(server: HttpServer, session, encoding):
    async with session.post(f"{server.url}/echo", data=b"x", headers={"content-encoding": encoding}) as response:
        assert response.status == 415
        assert response.headers["accept-encoding"] in {"gzip, deflate, identity", "gzip, deflate, br, identity"}


async def test_decompressing_in_pieces_loses_nothing(server: HttpServer, session):
    """Decompressing in pieces loses nothing: neither output that fills a piece exactly nor data that zlib still
    buffers.
    """
    for size in (65_536, 99_999, 100_000):
        body = gzip.compress(b"z" * size, mtime=0)
        async with session.post(f"{server.url}/count", data=body, headers={"content-encoding": "gzip"}) as response:
            assert await response.text() == str(size)


@pytest.mark.parametrize("chunk", [1, 7, 100_000])
async def test_brotli_bodies_are_decompressed(server: HttpServer, session, chunk):
    """However they are divided into chunks, up to exactly the limit."""
    brotli = pytest.importorskip("brotli")
    plain = random.Random(1).randbytes(2_000) * 25 + bytes(LIMIT - 50_000)
    packed = brotli.compress(plain)

    async def chunks():
        for start in range(0, len(packed), chunk):
            yield packed[start : start + chunk]

    async with session.post(f"{server.url}/echo", data=chunks(), headers={"content-encoding": "br"}) as response:
        assert await response.read() == plain


async def test_a_brotli_bomb_costs_no_more_than_the_limit(server: HttpServer, session):
    """A hundred bytes that contain 50 MB are refused, and no more of them is decompressed than about the limit."""
    brotli = pytest.importorskip("brotli")
    bomb = brotli.compress(b"\0" * 50_000_000)
    assert len(bomb) < 100
    async with session.post(f"{server.url}/count", data=bomb, headers={"content-encoding": "br"}) as response:
        assert response.status == 413
    unfold = decompressor_of("br")
    assert len(unfold.decompress(bomb, LIMIT)) < 3 * LIMIT
    assert not unfold.needs_input


async def test_damaged_brotli_bodies_are_bad_requests(server: HttpServer, session):
    brotli = pytest.importorskip("brotli")
    packed = brotli.compress(b"x" * 1000 + bytes(range(256)))
    for body in (b"\xff" * 50, packed[:-3], packed + b"more", packed * 2):
        async with session.post(f"{server.url}/echo", data=body, headers={"content-encoding": "br"}) as response:
            assert response.status == 400, body
