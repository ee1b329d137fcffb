"""An empty tenant database on the engine of the test."""

import pytest

from groundwork.database.transaction import Database
from tests.databases import MakeDatabase


@pytest.fixture
async def db(make_database: MakeDatabase) -> Database:
    return await make_database("openmeet")
