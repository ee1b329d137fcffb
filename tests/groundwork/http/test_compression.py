"""Which responses are compressed."""

import gzip
from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from groundwork.errors import NotFound
from groundwork.http import compression
from groundwork.http.application import Application
from groundwork.http.compression import (
    ENCODINGS,
    Encoding,
    accepts_gzip,
    chosen_encoding,
    compress_gzip,
    encoded,
    file_bodies,
)
from groundwork.telemetry.metrics import Metrics


@pytest.mark.parametrize(
    ("header", "accepts"),
    [
        (None, False),
        (b"", False),
        (b"identity", False),
        (b"gzip", True),
        (b"br, GZIP", True),
        (b"gzip;q=0", False),
        (b"gzip ; q = 0.0, br", False),
        (b"gzip;q=0.5", True),
        (b"deflate,gzip;q=1.0, *;q=0.5", True),
        (b"x-gzip", True),
        (b"gzipped", False),
        (b"notgzip", False),
        (b"gzip;q=x", False),
        (b"*", False),
    ],
)
def test_clients_that_accept_compression(header: bytes | None, *, accepts: bool) -> None:
    assert accepts_gzip(header) is accepts


BR, GZIP = Encoding.BROTLI, Encoding.GZIP
needs_brotli = pytest.mark.skipif(BR not in ENCODINGS, reason="the package brotli is not installed")


@needs_brotli
@pytest.mark.parametrize(
    ("header", "chosen"),
    [
        ("", None),
        ("identity", None),
        ("*", None),
        ("gzip, deflate, br, zstd", BR),
        ("gzip", GZIP),
        ("br", BR),
        ("BR;Q=0.4", BR),
        ("br;q=0.4, gzip;q=0.8", GZIP),
        ("br;q=0.8, gzip;q=0.8", BR),
        ("br;q=0, gzip", GZIP),
        ("br;q=0, gzip;q=0.000", None),
        ("br;q=2, gzip", GZIP),
        ("br;q=nan", None),
        ("br;level=1", None),
        ("brotli, bro, xbr", None),
        ("x-gzip;q=1.0", GZIP),
        ("x," * 10_000 + "br", None),
    ],
)
def test_quality_values_choose_the_encoding(header: str, chosen: Encoding | None) -> None:
    assert chosen_encoding(header) is chosen


def test_without_brotli_everything_is_gzip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compression, "ENCODINGS", (GZIP,))
    assert chosen_encoding("br") is None
    assert chosen_encoding("br, gzip;q=0.1") is GZIP


async def test_cached_bodies_contain_the_compressed_content() -> None:
    for bodies in ({one: await encoded(PAGE, one) for one in ENCODINGS}, file_bodies(PAGE)):
        assert set(bodies) == set(ENCODINGS)
        assert gzip.decompress(bodies[GZIP]) == PAGE
        if BR in bodies:
            assert pytest.importorskip("brotli").decompress(bodies[BR]) == PAGE


@pytest.mark.parametrize("size", [0, 5000, 1_000_000])
async def test_compressed_body_decompresses(size: int) -> None:
    body = b"{}" * (size // 2)
    folded = await compress_gzip(body)
    assert gzip.decompress(folded) == body
    assert size == 0 or len(folded) < size / 10


# --- With the routes of a site

PAGE = b"<p>A line of a page.</p>" * 400


async def page(_request: Request) -> Response:
    return Response(PAGE, media_type="text/html", headers={"etag": '"one"'})


async def picture(_request: Request) -> Response:
    return Response(PAGE, media_type="image/png")


async def live(_request: Request) -> Response:
    async def events() -> AsyncIterator[bytes]:
        yield b"data: one\n\n"

    return StreamingResponse(events(), media_type="text/event-stream")


async def parts(_request: Request) -> Response:
    async def lines() -> AsyncIterator[bytes]:
        for _ in range(400):
            yield b"<p>A line of a page.</p>"

    return StreamingResponse(lines(), media_type="text/html")


async def broken(_request: Request) -> Response:
    raise NotFound("There is nothing here.")


async def long_error(_request: Request) -> Response:
    raise NotFound("There is nothing here. " * 200)


@pytest.fixture
async def site() -> AsyncIterator[httpx.AsyncClient]:
    routes = [Route(f"/{one.__name__}", one) for one in (page, picture, live, parts, broken, long_error)]
    application = Application(routes, Metrics("test"), compresses=True)
    transport = httpx.ASGITransport(application)
    async with httpx.AsyncClient(transport=transport, base_url="http://site.test") as client:
        yield client


async def test_pages_are_compressed(site: httpx.AsyncClient) -> None:
    answer = await site.get("/page", headers={"accept-encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert int(answer.headers["content-length"]) < len(PAGE) / 10
    assert "accept-encoding" in answer.headers["vary"].lower()
    assert answer.content == PAGE


@needs_brotli
@pytest.mark.parametrize("path", ["page", "parts"])
async def test_brotli_where_it_is_preferred(site: httpx.AsyncClient, path: str) -> None:
    async with site.stream("GET", f"/{path}", headers={"accept-encoding": "gzip, br"}) as answer:
        raw = b"".join([one async for one in answer.aiter_raw()])
    assert answer.headers["content-encoding"] == "br"
    assert "accept-encoding" in answer.headers["vary"].lower()
    assert pytest.importorskip("brotli").decompress(raw) == PAGE
    assert len(raw) < len(PAGE) / (10 if path == "page" else 2)


async def test_a_coding_that_the_client_refuses_is_not_used(site: httpx.AsyncClient) -> None:
    answer = await site.get("/page", headers={"accept-encoding": "br;q=0, gzip;q=0"})
    assert "content-encoding" not in answer.headers


@pytest.mark.parametrize("path", ["picture", "live", "broken"])
async def test_responses_that_gain_nothing_are_not_compressed(site: httpx.AsyncClient, path: str) -> None:
    """Responses that gain nothing are not compressed: pictures, event streams, and short ones such as errors."""
    answer = await site.get(f"/{path}", headers={"accept-encoding": "gzip"})
    assert "content-encoding" not in answer.headers
    assert answer.status_code == (404 if path == "broken" else 200)


async def test_long_errors_are_compressed(site: httpx.AsyncClient) -> None:
    answer = await site.get("/long_error", headers={"accept-encoding": "gzip"})
    assert (answer.status_code, answer.headers["content-encoding"]) == (404, "gzip")
    assert answer.headers["vary"].lower() == "accept-encoding"
    assert int(answer.headers["content-length"]) < len(answer.content) / 10
    plain = await site.get("/long_error", headers={"accept-encoding": "identity"})
    assert len(plain.content) == len(answer.content)


async def test_client_without_gzip_gets_the_plain_page(site: httpx.AsyncClient) -> None:
    answer = await site.get("/page", headers={"accept-encoding": "identity"})
    assert "content-encoding" not in answer.headers
    assert "accept-encoding" in answer.headers["vary"].lower()


@pytest.mark.parametrize(
    ("site_of_request", "cookie", "is_compressed"),
    [
        ("cross-site", {"cookie": "session=x"}, False),
        ("cross-site", {}, True),
        ("same-origin", {"cookie": "session=x"}, True),
        ("none", {"cookie": "session=x"}, True),
    ],
)
async def test_no_other_site_learns_the_length_of_a_signed_in_page(
    site: httpx.AsyncClient, site_of_request: str, cookie: dict[str, str], *, is_compressed: bool
) -> None:
    """Signed-in pages are not compressed for requests from other sites, which could otherwise learn secrets on the page
    from its length.
    """
    headers = {"accept-encoding": "gzip", "sec-fetch-site": site_of_request, **cookie}
    for path in ("/page", "/long_error"):
        answer = await site.get(path, headers=headers)
        assert ("content-encoding" in answer.headers) is is_compressed
