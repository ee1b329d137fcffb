"""The route index gives the same response as one router with all routes, for any path and method."""

import itertools

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route, Router
from starlette.types import ASGIApp
from tests.hypothesis_profiles import examples

from groundwork.http.route_index import RouteIndex

_SEGMENTS = ["", "a", "b", "c", "{x}", "{x:int}", "a-{x}", "{x:path}"]
_WORDS = ["", "a", "b", "c", "d", "7", "a-7", "%2F", "ä"]

patterns = st.lists(st.sampled_from(_SEGMENTS), min_size=1, max_size=4).filter(
    lambda segments: sum("{" in segment for segment in segments) <= 1
)
methods = st.sampled_from(["GET", "POST"])
addresses = st.lists(st.sampled_from(_WORDS), min_size=1, max_size=4).map(lambda words: "/" + "/".join(words))


def _route(number: int, pattern: list[str], method: str, *, is_mount: bool) -> BaseRoute:
    async def answer(request: Request) -> Response:
        return PlainTextResponse(f"{number} {request.path_params}")

    path = "/" + "/".join(pattern)
    if is_mount:
        return Mount(path, Router([Route("/{more:path}", answer, methods=[method])]))
    return Route(path, answer, methods=[method])


async def _ask(app: ASGIApp, method: str, address: str) -> tuple[int, str]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://t.test") as client:
        # Two leading slashes would be taken for a host.
        answer = await client.request(method, f"http://t.test{address}")
    return answer.status_code, answer.text


@settings(max_examples=examples(400))
@given(
    made=st.lists(st.tuples(patterns, methods, st.booleans()), max_size=12),
    asked=st.lists(st.tuples(methods, addresses), min_size=1, max_size=6),
)
async def test_index_dispatches_like_a_single_router(
    made: list[tuple[list[str], str, bool]], asked: list[tuple[str, str]]
) -> None:
    numbers = itertools.count()
    routes = [_route(next(numbers), pattern, method, is_mount=is_mount) for pattern, method, is_mount in made]
    index, router = RouteIndex(routes), Router(routes, redirect_slashes=False)
    for method, address in asked:
        assert await _ask(index, method, address) == await _ask(router, method, address)


@pytest.mark.parametrize("address", ["/", "/a", "/a/b", "/a/b/c", "/d"])
async def test_first_of_two_routes_is_used(address: str) -> None:
    """The first of two matching routes is used, even if it begins with a parameter."""
    routes = [
        _route(0, ["{x:path}"], "POST", is_mount=False),
        _route(1, ["a", "{x}"], "GET", is_mount=False),
        _route(2, ["{x:path}"], "GET", is_mount=False),
        _route(3, ["a", "b"], "GET", is_mount=False),
    ]
    status, text = await _ask(RouteIndex(routes), "GET", address)
    assert (status, text[:1]) == (200, "1" if address == "/a/b" else "2")
