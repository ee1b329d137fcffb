"""News that were told before there was mail outlive the new table; on both engines."""

import os
from pathlib import Path

import asyncpg
import pytest

from groundwork.clock import HandClock
from groundwork.database.migrate import migrate
from groundwork.database.open_ import open_database
from groundwork.database.transaction import Engine
from openmeet.domain.notifications import notify
from openmeet.domain.notifications.model import NotificationKind
from openmeet.domain.notifications.queries import count_unread, newest
from openmeet.domain.users.model import UserId

PERSON = """
    insert into users (id, kind, display_name, email, bio, time_zone, revision, created_at, updated_at)
    values ('ana', 'person', 'Ana', 'ana@example.org', '', null, 1, 1, 1)
"""
NEWS = """
    insert into notifications (id, user_id, kind, subject_id, subject_revision, particulars, created_at, read_at)
    values (:id, 'ana', :kind, 'tea', :revision, '{"answer":"attending"}', :revision, :read_at)
"""
SCHEMA = f"t_news_{os.getpid()}"


@pytest.fixture
async def place(request: pytest.FixtureRequest, engine: Engine, tmp_path: Path):
    """(url, schema) of a database at the revision before."""
    url, schema = f"sqlite://{tmp_path / 'before.db'}", ""
    if engine == "postgresql":
        url, schema = request.getfixturevalue("postgres_url"), SCHEMA
    await migrate(url, schema, "openmeet", to="0009")
    yield url, schema
    if engine == "postgresql":
        connection = await asyncpg.connect(url)
        await connection.execute(f'drop schema "{schema}" cascade')
        await connection.close()


async def test_old_news_stay_as_they_were_and_new_kinds_are_taken(place: tuple[str, str], clock: HandClock):
    url, schema = place
    before = await open_database(url, schema=schema, clock=clock)
    async with before.transaction() as tx:
        await tx.execute(PERSON)
        await tx.execute(NEWS, id="1", kind="new_answer", revision=1, read_at=5)
        await tx.execute(NEWS, id="2", kind="event_cancelled", revision=2, read_at=None)
    await before.close()

    await migrate(url, schema, "openmeet")

    after = await open_database(url, schema=schema, clock=clock)
    async with after.transaction() as tx:
        kept = await newest(tx, UserId("ana"), 10)
        assert [(one.id, one.kind, one.created_at, one.read_at) for one in kept] == [
            ("2", NotificationKind.EVENT_CANCELLED, 2, None),
            ("1", NotificationKind.NEW_ANSWER, 1, 5),
        ]
        assert kept[1].particulars.answer == "attending"
        assert await count_unread(tx, UserId("ana")) == 1
        # Nothing of the past is mailed, and nothing of it is told once more.
        assert await tx.fetch("select subject from debts") == []
        await notify.tell(tx, [UserId("ana")], NotificationKind.EVENT_CANCELLED, "tea", 2)
        assert await tx.fetch("select subject from debts") == []
        await notify.tell(tx, [UserId("ana")], NotificationKind.REMINDER, "tea", 3)
        assert len(await newest(tx, UserId("ana"), 10)) == 3
    await after.close()
