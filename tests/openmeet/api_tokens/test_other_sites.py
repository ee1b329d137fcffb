"""Pages of other origins can call the API, but without cookies. If an endpoint does not support the method, the
response lists those that it supports.
"""

import httpx
import pytest

from groundwork.clock import HandClock
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import Site, api_session, sign_up, site_on

ELSEWHERE = {"origin": "https://calendar.example"}


@pytest.fixture
async def site(make_sqlite: MakeDatabase, clock: HandClock) -> Site:
    return site_on(await make_sqlite("openmeet", clock=clock), clock)


@pytest.fixture
async def browser(site: Site):
    async with site.browser() as found:
        yield found


async def test_other_sites_can_read_anonymously_including_errors(browser: httpx.AsyncClient):
    for path, status in (("/api/events", 200), ("/api/events/none", 404), ("/api/me", 401), ("/api/nothing", 404)):
        answer = await browser.get(path, headers=ELSEWHERE)
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (status, "*"), path
        assert "access-control-allow-credentials" not in answer.headers
        assert "ETag" in answer.headers["access-control-expose-headers"]


async def test_other_sites_need_a_token_and_cookies_are_ignored(browser: httpx.AsyncClient):
    wanted = {"access-control-request-method": "PATCH", "access-control-request-headers": "authorization,if-match"}
    preflight = await browser.request("OPTIONS", "/api/me", headers=ELSEWHERE | wanted)
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-headers"] == "authorization,if-match"
    assert "PATCH" in preflight.headers["access-control-allow-methods"]
    assert "access-control-allow-credentials" not in preflight.headers
    token = await api_session(browser, "ana@example.org", "Ana")
    assert (await browser.get("/api/me", headers=ELSEWHERE | token)).status_code == 200
    await sign_up(browser, "bo@example.org", "Bo")
    assert (await browser.get("/api/me", headers=ELSEWHERE)).status_code == 401, "a cookie was accepted"


@pytest.mark.parametrize("path", ["/", "/sign-in", "/settings/profile", "/health/ready"])
async def test_other_sites_cannot_read_pages(browser: httpx.AsyncClient, path: str):
    assert "access-control-allow-origin" not in (await browser.get(path, headers=ELSEWHERE)).headers


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("DELETE", "/api/events", "GET, HEAD, POST"),
        ("PATCH", "/api/me", "DELETE, GET, HEAD, PUT"),
        ("GET", "/api/session/code", "POST"),
        ("DELETE", "/sign-in", "GET, HEAD, POST"),
    ],
)
async def test_all_methods_of_an_endpoint_are_listed(browser: httpx.AsyncClient, method: str, path: str, allow: str):
    """The Allow header lists every method of an endpoint (RFC 9110, section 15.5.6). Each API method has its own route."""
    answer = await browser.request(method, path)
    assert (answer.status_code, answer.headers.get("allow")) == (405, allow)


async def test_an_unknown_url_allows_no_method(browser: httpx.AsyncClient):
    for method in ("GET", "POST", "DELETE"):
        answer = await browser.request(method, "/no/such/page")
        assert (answer.status_code, "allow" in answer.headers) == (404, False), method
