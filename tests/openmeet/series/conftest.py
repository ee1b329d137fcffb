"""Databases whose clock stands where the weekly practice begins."""

import pytest

from groundwork.clock import HandClock
from groundwork.database.transaction import Database
from tests.databases import MakeDatabase
from tests.openmeet.series.practice import NOW


@pytest.fixture
async def practice_db(make_database: MakeDatabase, clock: HandClock) -> Database:
    """A database of the site, on Friday 20 November 2026."""
    clock.turn(NOW - clock.now())
    return await make_database("openmeet")
