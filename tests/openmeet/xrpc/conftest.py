"""A site for anonymous XRPC callers, on both engines."""

import pytest

from groundwork.clock import HandClock
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import Site, site_on
from tests.openmeet.xrpc.query_client import People, app


@pytest.fixture
def people(clock: HandClock) -> People:
    return People(clock)


@pytest.fixture
async def site(make_database: MakeDatabase, clock: HandClock, people: People) -> Site:
    return site_on(await make_database("openmeet"), clock, service_callers=people.callers(), api_requests_per_minute=0)


@pytest.fixture
async def client(site: Site):
    async with app(site) as opened:
        yield opened
