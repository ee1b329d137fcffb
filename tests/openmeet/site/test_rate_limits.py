"""Pages, feeds and pictures are limited per address: people do not reach the limit, programs do, and all visitors
together are not counted as one.
"""

from contextlib import asynccontextmanager

import httpx
import pytest

from groundwork.clock import SECOND, HandClock
from openmeet.i18n.reasons.messages import explain
from openmeet.routes import embeds, open_pages, pages, pictures
from openmeet.web.site.rate_limits import duration
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import ORIGIN, Site, site_on
from tests.plain_http import NO_TLS

LIMIT = 3


@pytest.fixture
async def limited(make_sqlite: MakeDatabase, clock: HandClock) -> Site:
    return site_on(await make_sqlite("openmeet", clock=clock), clock, pages_per_minute=LIMIT)


@asynccontextmanager
async def browser_at(site: Site, address: str):
    transport = httpx.ASGITransport(app=site.app, client=(address, 5000))
    async with httpx.AsyncClient(
        verify=NO_TLS, transport=transport, base_url=ORIGIN, headers={"origin": ORIGIN}
    ) as client:
        yield client


async def statuses(browser: httpx.AsyncClient, count: int, path: str = "/", **headers: str) -> list[int]:
    return [(await browser.get(path, headers=headers)).status_code for _ in range(count)]


async def test_page_requests_are_limited_per_client_address(limited: Site, clock: HandClock):
    async with browser_at(limited, "203.0.113.1") as one, browser_at(limited, "203.0.113.2") as other:
        assert await statuses(one, LIMIT + 1) == [200] * LIMIT + [429]
        assert await statuses(other, 1) == [200]
        clock.turn(60 * SECOND)
        assert await statuses(one, 1) == [200]


async def test_the_page_says_when_to_retry_and_links_there(limited: Site, clock: HandClock):
    async with browser_at(limited, "203.0.113.1") as browser:
        await statuses(browser, LIMIT)
        clock.turn(20 * SECOND)
        refused = await browser.get("/groups?q=chess")
        posted = await browser.post("/sign-in", data={"identifier": "ana@example.org"})
    assert refused.headers["retry-after"] == "40"
    assert "Try again in 40 seconds." in refused.text
    assert 'href="/groups?q=chess"' in refused.text
    assert "nothing was saved. Go back and send it again in 40 seconds." in posted.text


@pytest.mark.parametrize(
    "path",
    ["/", "/api", "/events/none.ics", "/sitemap.xml", "/no/such/page", "/embed/search", "/sign-in", "/my/events"],
)
async def test_every_kind_of_page_is_counted(limited: Site, path: str):
    async with browser_at(limited, "203.0.113.1") as browser:
        assert 429 not in await statuses(browser, LIMIT, path)
        assert await statuses(browser, 1, path) == [429]


async def test_every_page_route_is_counted(limited: Site):
    """Every route that serves a page, a feed or a picture counts."""
    # The page about the API depends on the settings, so it is not in these lists. The test above requests it.
    counted = {route.path for route in (*open_pages(), *embeds(), *pages(), *pictures())} | {"/api"}
    not_counted = {
        path
        for route in limited.app.routes
        if (path := getattr(route, "path", "")) not in counted
        and not path.startswith(("/api/", "/xrpc/", "/health/", "/metrics", "/static/", "/.well-known/"))
    }
    assert not_counted == {"/client-metadata.json", "/jwks.json", "/{path:path}"}


async def test_a_household_with_many_addresses_is_one_client(limited: Site):
    seen = []
    for number in range(LIMIT + 1):
        async with browser_at(limited, f"2001:db8::{number}") as browser:
            seen += await statuses(browser, 1)
    assert seen == [200] * LIMIT + [429]


async def test_an_unconfigured_proxy_does_not_count_as_one_client(limited: Site):
    """All visitors seem to come from the proxy's address, so a limit would lock all of them out."""
    async with browser_at(limited, "10.0.0.7") as proxy:
        assert await statuses(proxy, LIMIT + 2, **{"x-forwarded-for": "203.0.113.5"}) == [200] * (LIMIT + 2)
    async with browser_at(limited, "8.8.8.8") as stranger:
        assert await statuses(stranger, LIMIT + 1, **{"x-forwarded-for": "203.0.113.5"}) == [200] * LIMIT + [429]


async def test_refused_requests_run_no_queries(limited: Site, monkeypatch: pytest.MonkeyPatch):
    async with browser_at(limited, "203.0.113.1") as browser:
        await statuses(browser, LIMIT)

        def asked(_self: object) -> object:
            raise AssertionError("the database was asked")

        monkeypatch.setattr(type(limited.db), "reader", asked)
        monkeypatch.setattr(type(limited.db), "transaction", asked)
        assert await statuses(browser, 2) == [429, 429]


async def test_the_limit_for_pictures_allows_pages_full_of_them(limited: Site):
    async with browser_at(limited, "203.0.113.1") as browser:
        path = f"/media/{'0' * 32}/nothing"
        assert await statuses(browser, 20 * LIMIT + 1, path) == [404] * (20 * LIMIT) + [429]
        assert await statuses(browser, 1) == [200]


@pytest.mark.parametrize(("dev_limits", "last"), [(False, 200), (True, 429)])
async def test_development_limits_apply_if_configured(
    make_sqlite: MakeDatabase, clock: HandClock, dev_limits: bool, last: int
):
    db = await make_sqlite("openmeet", clock=clock)
    site = site_on(db, clock, pages_per_minute=LIMIT, dev_mode=True, dev_limits=dev_limits)
    async with browser_at(site, "203.0.113.1") as one:
        assert await statuses(one, LIMIT + 1) == [200] * LIMIT + [last]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(1, "a second"), (119, "119 seconds"), (121, "3 minutes"), (7199, "120 minutes"), (7201, "3 hours")],
)
def test_a_time_to_wait_is_rounded_up(seconds: int, words: str) -> None:
    assert explain(duration(seconds)) == words
