"""A tenant's empty database on the engine of the test, and the small network of ``tests.openmeet.deployment``."""

from collections.abc import AsyncIterator

import pytest

from groundwork.database.transaction import Database
from tests.databases import MakeDatabase
from tests.openmeet.deployment import deployment
from tests.openmeet.ingestion.poison_messages import accept_all_again

__all__ = ["db", "deployment"]


@pytest.fixture
async def db(make_database: MakeDatabase) -> AsyncIterator[Database]:
    database = await make_database("openmeet")
    yield database
    await accept_all_again(database)
