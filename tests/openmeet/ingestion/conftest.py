"""A tenant's database, empty, on the engine of the test; and the small network of ``tests.openmeet.town``."""

import pytest

from groundwork.database.transaction import Database
from tests.databases import MakeDatabase
from tests.openmeet.town import town

__all__ = ["db", "town"]


@pytest.fixture
async def db(make_database: MakeDatabase) -> Database:
    return await make_database("openmeet")
