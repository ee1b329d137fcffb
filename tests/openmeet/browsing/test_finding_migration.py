"""Events from before there was an index are found afterwards; on both engines."""

import os
from pathlib import Path

import asyncpg
import pytest

from groundwork.clock import HandClock
from groundwork.database.migrate import migrate
from groundwork.database.open_ import open_database
from groundwork.database.transaction import Engine
from groundwork.geo_points import Near
from openmeet.domain.search import search
from openmeet.domain.search.search import SearchQuery

BEFORE = "0026"
SCHEMA = f"t_finding_{os.getpid()}"
PERSON = """
    insert into users (id, kind, display_name, email, bio, time_zone, revision, created_at, updated_at)
    values ('ana', 'person', 'Ana', null, '', null, 1, 1, 1)
"""
EVENT = """
    insert into events (id, slug, title, description, starts_at, over_at, starts_local, starts_text, ends_text, time_zone, mode,
                        status, status_before, status_reason, venue_name, street, locality, region, country, postal_code, latitude,
                        longitude, online_url, online_url_audience, links, visibility, author_id, origin, revision, is_read_only,
                        is_held, search_text, created_at, updated_at, place_audience)
    values (:id, :id, 'Tea', '', :at, :at, '', '', '', 'UTC', 'in_person', 'scheduled', '', '', '', '', '', '', '', '', '52.5', '13.4',
            '', 'attendees', '[]', 'public', 'ana', 'here', 1, 0, 0, 'tea and zurich', 1, 1, :audience)
"""


@pytest.fixture
async def place(request: pytest.FixtureRequest, engine: Engine, tmp_path: Path):
    """(url, schema) of a database at the revision before."""
    url, schema = f"sqlite://{tmp_path / 'before.db'}", ""
    if engine == "postgresql":
        url, schema = request.getfixturevalue("postgres_url"), SCHEMA
    await migrate(url, schema, "openmeet", to=BEFORE)
    yield url, schema
    if engine == "postgresql":
        connection = await asyncpg.connect(url)
        await connection.execute(f'drop schema "{schema}" cascade')
        await connection.close()


async def test_what_is_there_already_is_found(place: tuple[str, str], clock: HandClock):
    url, schema = place
    later = clock.now() + 1_000_000
    before = await open_database(url, schema=schema, clock=clock)
    async with before.transaction() as tx:
        await tx.execute(PERSON)
        await tx.execute(EVENT, id="open", at=later, audience="everyone")
        await tx.execute(EVENT, id="shy", at=later, audience="attendees")
    await before.close()
    await migrate(url, schema, "openmeet")
    after = await open_database(url, schema=schema, clock=clock)
    try:
        async with after.reader() as reader:
            for wanted, expected in (
                (SearchQuery(("zur", "tea")), ["open", "shy"]),
                (SearchQuery(("coffee",)), []),
                (SearchQuery(near=Near(52.5, 13.4, 1)), ["open"]),
            ):
                assert [event.id for event in await search.coming(reader, wanted, None, 10)] == expected
    finally:
        await after.close()
