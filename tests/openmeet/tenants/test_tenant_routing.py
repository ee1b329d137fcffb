"""The host name selects the site. ``x-tenant-id`` counts only with a token or from the operator's proxy."""

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from groundwork.http.application import Application
from groundwork.telemetry.metrics import Metrics
from openmeet.web.site.tenant_routing import SitesByHost, host_name


def site(name: str) -> Application:
    async def answer(_request: Request) -> Response:
        return PlainTextResponse(name)

    return Application([Route("/{path:path}", answer)], Metrics("openmeet"), access_log=False)


def browser(*, proxies_name_tenant: bool = False) -> httpx.AsyncClient:
    hosts = SitesByHost(
        {name: site(name) for name in ("default", "village")},
        {"meet.town.net": "default", "village.town.net": "village"},
        proxies_name_tenant=proxies_name_tenant,
    )
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=hosts), base_url="http://meet.town.net")


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("village.town.net", "village"),
        ("VILLAGE.town.net", "village"),
        ("village.town.net:8080", "village"),
        ("village.town.net.", "village"),
        ("meet.town.net", "default"),
        ("elsewhere.net", "default"),
        ("village.town.net.evil.net", "default"),
        ("x.village.town.net", "default"),
        ("127.0.0.1", "default"),
        ("[::1]", "default"),
        ("[::1", "default"),
        ("village.town.net@meet.town.net", "default"),
    ],
)
async def test_the_host_name_selects_the_site(host: str, name: str):
    """Port and letter case do not matter. An unknown name leads to the default site."""
    assert (await browser().get("/", headers={"host": host})).text == name


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/", {}),
        ("/", {"authorization": "Bearer abc"}),
        ("/api/events", {}),
        ("/api/events", {"authorization": "Bearer "}),
        ("/api/events", {"authorization": "Basic abc"}),
        ("/api/events", {"authorization": "Bearer abc", "cookie": "openmeet_session=abc"}),
    ],
)
async def test_a_community_header_without_a_token_is_ignored(path: str, headers: dict[str, str]):
    found = await browser().get(path, headers={**headers, "x-tenant-id": "village"})
    assert found.text == "default"


async def test_a_client_with_a_token_can_select_its_community():
    """The site that the header names then checks the token itself."""
    headers = {"authorization": "bearer abc", "x-tenant-id": "village"}
    assert (await browser().get("/api/events", headers=headers)).text == "village"


async def test_a_token_for_an_unknown_community_is_invalid():
    headers = {"authorization": "Bearer abc", "x-tenant-id": "hamlet"}
    found = await browser().get("/api/events", headers=headers)
    assert found.status_code == 401
    assert found.json()["title"] == "InvalidToken"


async def test_the_operators_proxy_can_select_any_community():
    async with browser(proxies_name_tenant=True) as through:
        assert (await through.get("/", headers={"x-tenant-id": "village"})).text == "village"
        assert (await through.get("/", headers={"x-tenant-id": "hamlet"})).status_code == 404
        assert (await through.get("/", headers={"host": "village.town.net"})).text == "village"


def test_an_empty_host_name_selects_none():
    assert host_name("") == ""
    assert host_name(":80") == ""
