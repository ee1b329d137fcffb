"""A site, and a PDS with which people sign in."""

from collections.abc import AsyncIterator

import pytest

from tests.databases import MakeDatabase
from tests.openmeet.deployment import Deployment, deployment
from tests.openmeet.sign_in.sign_in_site import SignInSite, site_for

__all__ = ["deployment", "site", "site_on_each"]


@pytest.fixture
async def site(deployment: Deployment) -> AsyncIterator[SignInSite]:
    """The site on SQLite, for tests that do not depend on the engine."""
    made = site_for(deployment, deployment.db)
    yield made
    await made.network.wait_for_refreshes()


@pytest.fixture
async def site_on_each(deployment: Deployment, make_database: MakeDatabase) -> AsyncIterator[SignInSite]:
    """The site on both engines, for tests of statements and constraints."""
    made = site_for(deployment, await make_database("openmeet", clock=deployment.clock))
    yield made
    await made.network.wait_for_refreshes()
