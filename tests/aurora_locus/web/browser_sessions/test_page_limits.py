"""A rate limit per address for pages, so that one client cannot keep the server busy."""

import httpx
import pytest

from aurora_locus.web.browser_sessions import authentication
from groundwork.clock import MINUTE
from groundwork.rate_limit.contract import Limit
from groundwork.settings import Secret
from tests.aurora_locus.conftest import MakeDeployment
from tests.aurora_locus.deployment import SERVER, Deployment

pytestmark = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)

PATHS = ["/", "/sign-in", "/account", "/oauth/authorize", "/admin"]


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authentication, "PAGES", Limit("pages", len(PATHS), 5 * 60))


async def get(deployment: Deployment, path: str, address: str, **headers: str) -> httpx.Response:
    return await deployment.http.get(path, headers={"accept": "text/html", "x-forwarded-for": address, **headers})


async def test_page_requests_per_address_are_limited(make_deployment: MakeDeployment) -> None:
    """Too many page requests from one address are refused, with a page that says when to come back; others are served.
    All pages count together.
    """
    deployment = await make_deployment(rate_limits_enabled=True, trusted_proxy_hops=1)
    answers = [await get(deployment, path, "203.1.2.3") for path in PATHS]
    assert 429 not in [answer.status_code for answer in answers]
    refused = await get(deployment, "/sign-in", "203.1.2.3")
    assert refused.status_code == 429
    assert "Wait a moment" in refused.text
    assert 0 < int(refused.headers["retry-after"]) <= 300
    assert (await get(deployment, "/sign-in", "203.1.2.4")).status_code == 200
    deployment.clock.turn(5 * MINUTE)
    assert (await get(deployment, "/sign-in", "203.1.2.3")).status_code == 200


async def test_variations_by_one_client_count_together(make_deployment: MakeDeployment) -> None:
    """New cookies, forms, unknown queries and the addresses of one IPv6 network count together."""
    deployment = await make_deployment(rate_limits_enabled=True, trusted_proxy_hops=1)
    for number in range(len(PATHS) - 1):
        await get(deployment, f"/sign-in?n={number}", f"2001:470:1::{number + 1:x}", cookie=f"browser={number}")
    form = await deployment.http.post("/sign-in", data={"a": "b"}, headers={"x-forwarded-for": "2001:470:1::ff"})
    assert form.status_code == 403
    assert (await get(deployment, "/", "2001:470:1::aa")).status_code == 429
    form = await deployment.http.post("/sign-in", data={"a": "b"}, headers={"x-forwarded-for": "2001:470:1::ff"})
    assert form.status_code == 429


async def test_methods_files_and_private_addresses_are_not_limited(make_deployment: MakeDeployment) -> None:
    """Methods have a limit of their own and static files none. A private address, which may be an unconfigured proxy,
    has a high limit.
    """
    deployment = await make_deployment(rate_limits_enabled=True, trusted_proxy_hops=1)
    for _ in range(len(PATHS) + 1):
        last = await get(deployment, "/", "203.1.2.3")
    assert last.status_code == 429
    own = {"x-forwarded-for": "203.1.2.3"}
    assert (await deployment.http.get(f"/xrpc/{SERVER}.describeServer", headers=own)).status_code == 200
    assert (await deployment.http.get("/robots.txt", headers=own)).status_code == 200


async def test_without_a_configured_proxy_pages_are_not_limited(make_deployment: MakeDeployment) -> None:
    deployment = await make_deployment(rate_limits_enabled=True)
    answers = [await get(deployment, "/", "203.1.2.3") for _ in range(3 * len(PATHS))]
    assert {answer.status_code for answer in answers} == {200}


async def test_limit_can_be_switched_off(make_deployment: MakeDeployment) -> None:
    deployment = await make_deployment(
        rate_limits_enabled=False, trusted_proxy_hops=1, rate_limit_bypass_key=Secret("a key of sixteen characters")
    )
    answers = [await get(deployment, "/", "203.1.2.3") for _ in range(3 * len(PATHS))]
    assert {answer.status_code for answer in answers} == {200}
