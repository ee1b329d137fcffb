"""A site, and a PDS with which people sign in."""

from collections.abc import AsyncIterator

import pytest

from tests.databases import MakeDatabase
from tests.openmeet.deployment import Deployment, deployment
from tests.openmeet.sign_in.doorway import Door, door_to

__all__ = ["deployment", "door", "door_on_each"]


@pytest.fixture
async def door(deployment: Deployment) -> AsyncIterator[Door]:
    """The site on SQLite, for tests that do not depend on the engine."""
    made = door_to(deployment, deployment.db)
    yield made
    await made.network.wait_for_refreshes()


@pytest.fixture
async def door_on_each(deployment: Deployment, make_database: MakeDatabase) -> AsyncIterator[Door]:
    """The site on both engines, for tests of statements and constraints."""
    made = door_to(deployment, await make_database("openmeet", clock=deployment.clock))
    yield made
    await made.network.wait_for_refreshes()
