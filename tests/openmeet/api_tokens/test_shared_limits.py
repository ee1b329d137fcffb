"""A person's rate limit across several web processes: shared if Redis is configured, otherwise per process."""

import os
import secrets
from http import HTTPStatus

import pytest

from groundwork.clock import HandClock
from groundwork.database.transaction import Database
from groundwork.rate_limit.open_ import open_counters
from openmeet.web.api.authentication import ADDRESS_FACTOR
from tests.databases import MakeDatabase
from tests.external_dependencies import needs
from tests.openmeet.site_under_test import Site, change_services, site_on

REDIS = os.environ.get("OPENMEET_TEST_REDIS", "redis://127.0.0.1:6379/0")


async def _asked_in_turn(sites: list[Site]) -> list[int]:
    """Send requests to the sites in turn, one more than the limit of an address, and return the status codes."""
    statuses = []
    for number in range(ADDRESS_FACTOR + 1):
        async with sites[number % len(sites)].browser() as browser:
            statuses.append((await browser.get("/api/events")).status_code)
    return statuses


def _site(db: Database, clock: HandClock, url: str, prefix: str) -> Site:
    site = site_on(db, clock, api_requests_per_minute=1)
    change_services(site.app, counters=open_counters(url, prefix=prefix))
    return site


@pytest.mark.parametrize(
    ("url", "last"),
    [pytest.param(REDIS, HTTPStatus.TOO_MANY_REQUESTS, marks=needs("redis")), ("embedded:", HTTPStatus.OK)],
)
async def test_two_processes_count_together_in_redis(
    make_sqlite: MakeDatabase, clock: HandClock, url: str, last: HTTPStatus
):
    db, prefix = await make_sqlite("openmeet", clock=clock), f"test-{secrets.token_hex(8)}"
    sites = [_site(db, clock, url, prefix) for _ in range(2)]
    try:
        statuses = await _asked_in_turn(sites)
    finally:
        for site in sites:
            await site.app.state.services.counters.close()
    assert statuses == [HTTPStatus.OK] * ADDRESS_FACTOR + [last]
