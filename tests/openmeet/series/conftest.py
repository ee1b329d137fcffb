"""Databases whose clock stands where the weekly practice begins, and sites with two people who use the JSON API."""

import httpx
import pytest

from groundwork.clock import HandClock
from groundwork.database.transaction import Database
from tests.databases import MakeDatabase
from tests.openmeet.series.practice import NOW
from tests.openmeet.site_under_test import Site, api_session, site_on


@pytest.fixture
async def practice_db(make_database: MakeDatabase, clock: HandClock) -> Database:
    """A database of the site, on Friday 20 November 2026."""
    clock.turn(NOW - clock.now())
    return await make_database("openmeet")


@pytest.fixture
async def site(make_database: MakeDatabase, clock: HandClock) -> Site:
    return site_on(await make_database("openmeet"), clock)


@pytest.fixture
async def client(site: Site):
    async with site.browser() as browser:
        yield browser


@pytest.fixture
async def ana(client: httpx.AsyncClient) -> dict[str, str]:
    return await api_session(client, "ana@example.org", "Ana")


@pytest.fixture
async def ben(client: httpx.AsyncClient) -> dict[str, str]:
    return await api_session(client, "ben@example.org", "Ben")
