"""A site in front of a PDS."""

from collections.abc import AsyncIterator

import pytest

from tests.databases import MakeDatabase
from tests.openmeet.sign_in.doorway import Door, door_to
from tests.openmeet.town import Town, town

__all__ = ["door", "door_on_each", "town"]


@pytest.fixture
async def door(town: Town) -> AsyncIterator[Door]:
    """On SQLite, for what is above the storage."""
    made = door_to(town, town.db)
    yield made
    await made.network.settle()


@pytest.fixture
async def door_on_each(town: Town, make_database: MakeDatabase) -> AsyncIterator[Door]:
    """On both engines, for what statements and constraints hold."""
    made = door_to(town, await make_database("openmeet", clock=town.clock))
    yield made
    await made.network.settle()
