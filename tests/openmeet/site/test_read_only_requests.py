"""GET writes nothing: every page, feed and operation is served from a read-only database."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Final, NoReturn

import pytest

from groundwork.database.transaction import Database
from tests.databases import MakeDatabase
from tests.openmeet.identities.offline_clients import offline_publishing
from tests.openmeet.privacy.planted import HOST, NOBODY, Planted, Viewer
from tests.openmeet.privacy.secret_fixtures import plant
from tests.openmeet.privacy.site_crawler import UNLIMITED, addresses, places, signed_in_viewer
from tests.openmeet.site_under_test import Site, change_services, site_on

# Routes that may write, with the reason. This site has no other servers. With other servers, a sign-in on them
# (`/sign-in/callback`, `/api/auth/login-bsky`) and a refreshed session (`/me/atproto/…`) are stored, too.
MAY_WRITE: Final = {
    "/series/{slug}/dates/{original_date}": "a date is stored when its page is first opened",
}


class Refused(Exception):
    """Raised when a transaction is requested."""


class ReadOnly:
    """The database without its methods for writing."""

    def __init__(self, database: Database) -> None:
        self.engine = database.engine
        self.reader, self.read, self.state = database.reader, database.read, database.state

    def transaction(self) -> NoReturn:
        raise Refused

    def write(self, _work: object) -> NoReturn:
        raise Refused

    def batch(self, _work: object, *, key: str | None = None) -> NoReturn:
        raise Refused


@pytest.fixture
async def site(make_sqlite: MakeDatabase, clock) -> AsyncIterator[Site]:
    async with offline_publishing(clock) as publishing:
        yield site_on(await make_sqlite("openmeet"), clock, publishing=publishing, **UNLIMITED)


@pytest.fixture
async def planted(site: Site) -> Planted:
    async with site.db.transaction() as tx:
        return await plant(tx)


@pytest.mark.parametrize("viewer", [HOST, NOBODY])
async def test_no_get_route_needs_to_write(site: Site, planted: Planted, viewer: Viewer) -> None:
    async with signed_in_viewer(site, planted, viewer) as client:
        # The first request of a person per day stores that they were active, whatever it requests.
        for first in ("/", "/api/me/profile"):
            await client.get(first)
        tenant = site.app.state.services.tenant
        change_services(site.app, tenant=replace(tenant, database=ReadOnly(tenant.database)))
        wrote, opened = set(), 0
        for place in places(site):
            if place.method != "GET" or place.path in MAY_WRITE or place.path.startswith("/health/"):
                continue
            for address, _ in addresses(place, planted, viewer):
                status = (await client.get(address)).status_code
                opened += status == 200
                if status >= 500:
                    wrote.add(place.path)
    assert wrote == set()
    assert opened > (150 if viewer is HOST else 30), "the paths do not exist"


async def test_writes_are_refused(site: Site, planted: Planted) -> None:
    """The database of the test above does refuse writes."""
    change_services(site.app, tenant=replace(site.app.state.services.tenant, database=ReadOnly(site.db)))
    async with signed_in_viewer(site, planted, HOST) as client:
        answer = await client.post("/notifications", data={"until": "0"})
    assert answer.status_code == 500
