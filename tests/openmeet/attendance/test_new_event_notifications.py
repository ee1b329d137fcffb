"""The task that notifies group members reads only new events, not all future or past ones; on both engines."""

import pytest

from groundwork.clock import MINUTE, HandClock
from groundwork.database.transaction import Database, Transaction
from openmeet.domain.attendance.tasks import announce_group_events
from openmeet.domain.events import actions as events
from openmeet.domain.events import group_notices
from openmeet.domain.events.content import Content
from openmeet.domain.events.model import GroupOfEvent
from openmeet.domain.series import actions as series
from tests.databases import MakeDatabase
from tests.openmeet.groups.people import add_member, group_by
from tests.openmeet.series.practice import NOW, dates, weekly
from tests.openmeet.site_under_test import details, person

MANY = 1_000


@pytest.fixture
async def db(make_database: MakeDatabase, clock: HandClock) -> Database:
    clock.turn(NOW - clock.now())
    return await make_database("openmeet")


async def untold(tx: Transaction) -> int:
    row = await tx.fetch_one("select count(*) as n from events where group_notice = 'due' and group_id is not null")
    assert row is not None
    return int(row["n"])


async def host_of_two(tx: Transaction):
    """A group with a single event and a weekly series, both by one host."""
    ana = await person(tx, "Ana")
    group = await group_by(tx, ana)
    await add_member(tx, group, ana, "Ben")
    of = GroupOfEvent(group.id, group.details.visibility, group.details.promotion_level)
    event = await events.create(tx, ana, details(starts="2026-12-24T18:00", ends=""), group=of)
    return event, await series.create(tx, ana, Content("Practice"), weekly(), group=of)


async def test_each_event_is_notified_and_read_once(db: Database, clock: HandClock) -> None:
    """Each event is read once. This includes dates of a series that are added later, and events that ended before
    anybody was notified.
    """
    async with db.transaction() as tx:
        event, made = await host_of_two(tx)
        assert len(await dates(tx, made)) > 5
        await tx.execute("update events set status = 'cancelled' where id = :id", id=event.id)
    assert await announce_group_events(db) == 0
    clock.turn(5 * MINUTE)
    assert await announce_group_events(db) == 1
    assert await announce_group_events(db) == 0
    async with db.transaction() as tx:
        # A cancelled event might be restored.
        assert await untold(tx) == 1
        await tx.execute("update events set status = 'scheduled' where id = :id", id=event.id)
    assert await announce_group_events(db) == 1
    async with db.transaction() as tx:
        assert await untold(tx) == 0
        await tx.execute("update events set group_notice = 'due', over_at = :now", now=tx.now)
    assert await announce_group_events(db) == 0
    async with db.transaction() as tx:
        assert await untold(tx) == 0


async def test_new_events_are_read_by_a_dedicated_index(db: Database) -> None:
    async with db.transaction() as tx:
        event, _ = await host_of_two(tx)
        row = await tx.fetch_one("select * from events where id = :id", id=event.id)
        assert row is not None
        names = list(dict(row))
        changed = {"id": "'e' || n.i", "slug": "'e' || n.i", "group_notice": "'skipped'", "submission_key": "null"}
        await tx.execute(
            f"""
            insert into events ({", ".join(names)})
            with recursive n(i) as (select 1 union all select i + 1 from n where i < {MANY})
            select {", ".join(changed.get(name, name) for name in names)} from n, (select * from events where id = :id) o
            """,
            id=event.id,
        )
        await tx.execute("analyze events")
        is_sqlite = tx.engine == "sqlite"
        for sql in (group_notices.DUE, group_notices.SKIP_UNANNOUNCED):
            rows = await tx.fetch(
                f"explain {'query plan ' if is_sqlite else ''}{sql}", now=tx.now, unchanged_since=tx.now
            )
            plan = "\n".join(str(row["detail"] if is_sqlite else row[0]) for row in rows)
            assert "events_due_to_groups" in plan, plan
            assert "Seq Scan on events" not in plan, plan
            assert "SCAN e\n" not in plan + "\n", plan
