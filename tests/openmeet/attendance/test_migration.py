"""Answers that were given before there were parties and reasons outlive the new columns; on both engines."""

import os
from pathlib import Path

import asyncpg
import pytest

from groundwork.clock import HandClock
from groundwork.database.migrate import migrate
from groundwork.database.open_ import open_database
from groundwork.database.transaction import Engine
from openmeet.domain.attendance import queries
from openmeet.domain.attendance.model import AttendanceStatus, PendingFor
from openmeet.domain.events import queries as events

BEFORE = "0019"
SCHEMA = f"t_answers_{os.getpid()}"
ANSWER = """
    insert into attendances (id, event_id, user_id, status, waitlist_number, source, revision, record_uri, created_at, answered_at)
    values (:id, :event_id, :id, :status, :number, 'here', 1, null, 1, 1)
"""
PERSON = """
    insert into users (id, kind, display_name, email, bio, time_zone, revision, created_at, updated_at)
    values (:id, 'person', :id, null, '', null, 1, 1, 1)
"""
# What has no default, as the first release had it.
EVENT = """
    insert into events (id, slug, title, description, starts_local, starts_text, ends_text, time_zone, mode, status, status_before,
                        status_reason, venue_name, street, locality, region, country, postal_code, latitude, longitude,
                        online_url, online_url_audience, links, visibility, author_id, origin, revision, is_read_only, is_held,
                        search_text, created_at, updated_at)
    values ('tea', 'tea', 'Tea', '', '', '', '', 'UTC', 'in_person', 'scheduled', '', '', '', '', '', '', '', '', '', '', '',
            'attendees', '[]', 'public', 'ana', 'here', 1, 0, 0, 'tea', 1, 1)
"""
STATUSES = (("ben", "attending", None), ("cleo", "pending", None), ("dora", "waitlisted", 1))


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


async def test_old_answers_count_one_each_and_pending_ones_stand_apart(place: tuple[str, str], clock: HandClock):
    url, schema = place
    before = await open_database(url, schema=schema, clock=clock)
    async with before.transaction() as tx:
        for name in ("ana", "ben", "cleo", "dora"):
            await tx.execute(PERSON, id=name)
        await tx.execute(EVENT)
        for name, status, number in STATUSES:
            await tx.execute(ANSWER, id=name, event_id="tea", status=status, number=number)
    await before.close()

    await migrate(url, schema, "openmeet")

    after = await open_database(url, schema=schema, clock=clock)
    async with after.reader() as reader:
        assert await events.by_id(reader, "tea") is not None
        found = [await queries.by_id(reader, name) for name, *_ in STATUSES]
        assert [(one.status, one.party, one.pending_for, one.is_private, one.guest_names) for one in found] == [
            (AttendanceStatus.ATTENDING, 1, None, False, ()),
            (AttendanceStatus.PENDING, 1, PendingFor.APART, False, ()),
            (AttendanceStatus.WAITLISTED, 1, None, False, ()),
        ]
        assert await queries.seats_taken(reader, "tea") == 1
    await after.close()
