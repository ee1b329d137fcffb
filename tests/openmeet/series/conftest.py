"""Databases with the clock at the start of ``practice``, and sites with two users of the JSON API."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import httpx
import pytest

from groundwork.clock import HandClock
from groundwork.database.transaction import Database, Engine
from openmeet.domain.notifications import fan_out
from openmeet.domain.series import new_date_rsvps, notify
from tests.databases import MakeDatabase, sqlite_url
from tests.openmeet.series.practice import NOW
from tests.openmeet.site_under_test import Site, api_session, site_on
from tests.postgres_schemas import Emptied

# Returns the URL and schema of an unused database of the site.
Fresh = Callable[[], Awaitable[tuple[str, str]]]


@pytest.fixture
async def practice_db(make_database: MakeDatabase, clock: HandClock) -> Database:
    """A database of the site, with the clock set to Friday 20 November 2026."""
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


@pytest.fixture
def fresh(engine: Engine, request: pytest.FixtureRequest) -> Iterator[Fresh]:
    """Returns a new empty database on each call, for state machines that run their own event loop."""
    if engine == "sqlite":
        folder: Path = request.getfixturevalue("tmp_path")
        templates: Path = request.getfixturevalue("sqlite_templates")

        async def file() -> tuple[str, str]:
            return await sqlite_url(folder, templates, "openmeet"), "openmeet"

        yield file
        return
    url: str = request.getfixturevalue("postgres_url")
    emptied: Emptied = request.getfixturevalue("emptied_schemas")
    schemas: list[str] = []

    async def schema() -> tuple[str, str]:
        schemas.append(await emptied.borrow(url, "openmeet"))
        return url, schemas[-1]

    yield schema
    for one in schemas:
        asyncio.run(emptied.give_back(url, one, "openmeet"))


@pytest.fixture
def in_job(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether a job adds the RSVPs. Fan-outs notify one person at once, then two at a time; of two dates with missing
    RSVPs, one at a time.
    """
    if request.param:
        monkeypatch.setattr(new_date_rsvps, "ANSWERED_AT_ONCE", 0)
        monkeypatch.setattr(new_date_rsvps, "ANSWERED_PER_BATCH", 2)
        monkeypatch.setattr(notify, "MAX_EXPECTED_PAIRS", 3)
    monkeypatch.setattr(fan_out, "FIRST", 1)
    monkeypatch.setattr(fan_out, "BATCH", 2)
    return bool(request.param)
