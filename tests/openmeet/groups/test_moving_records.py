"""A group with many events gets its own account: the records move in several transactions, of which any may fail."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from groundwork.clock import HandClock
from groundwork.database.transaction import Database, Transaction
from groundwork.outbox import dispatcher
from groundwork.outbox.delivery import one_job_per_call
from groundwork.outbox.jobs import Job, JobState
from openmeet.domain.attendance import group_hosting
from openmeet.domain.events import actions as events
from openmeet.domain.events.group_of_event import as_group_of_event
from openmeet.domain.events.model import Event
from openmeet.domain.events.publication import enqueue_events_of_group
from openmeet.domain.groups import ownership, publication_settings
from openmeet.domain.groups.model import Group, GroupId, GroupRole
from openmeet.domain.users.model import Caller
from openmeet.outbox.kinds import JobKind
from tests.databases import MakeDatabase
from tests.openmeet.groups.people import add_member, group_by
from tests.openmeet.series.practice import NOW
from tests.openmeet.site_under_test import details, person

NUMBER = 7
_PUBLISH = """
    update publications set state = 'published', did = 'did:plc:ana', uri = 'at://did:plc:ana/event/' || subject_id
     where kind = 'event'
"""
_SET_RECORDS = "update events set record_did = 'did:plc:ana', record_uri = 'at://did:plc:ana/event/' || id"
_LEFT = "select subject_id from superseded_records order by subject_id"
_REVISIONS = "select id, revision from events order by id"
_STATEMENTS = "select user_id from publications where kind = 'group_event' order by subject_id"


class FailingLater:
    """A database whose transactions fail after the first ones."""

    def __init__(self, db: Database, working: int) -> None:
        self._db, self._working = db, working

    def __getattr__(self, name: str) -> Any:
        return getattr(self._db, name)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        self._working -= 1
        async with self._db.transaction() as tx:
            yield tx
            if self._working < 0:
                raise ConnectionError


@pytest.fixture
async def db(make_database: MakeDatabase, clock: HandClock) -> Database:
    clock.turn(NOW - clock.now())
    return await make_database("openmeet", clock=clock)


async def test_records_of_many_events_move_in_several_transactions(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events are created, edited and deleted meanwhile, and a run of the job fails in the middle."""
    monkeypatch.setattr(group_hosting, "EVENTS_AT_ONCE", 2, raising=False)
    ana, group, made = await _group_with_events(db)
    async with db.transaction() as tx:
        await group_hosting.open_account(tx, ana, group.slug, "chess.town.test")
    assert await _left(db) == [one.id for one in made[:2]]
    async with db.transaction() as tx:
        await events.delete(tx, ana, made[3].slug)
        await events.revise(tx, ana, made[4].slug, details(starts="2026-12-05T18:00", ends="2026-12-05T20:00"))
        new = await _event(tx, ana, group)
    # Two transactions move the group's statements, one looks at the first events again, and one moves records.
    with pytest.raises(ConnectionError):
        await _move(cast("Database", FailingLater(db, working=4)), group.id)
    assert len(await _left(db)) == 4
    for _ in range(2):
        await _move(db, group.id)
        assert await _left(db) == [one.id for one in made if one is not made[3]]
    revisions = await _revisions(db)
    # The edit is a revision, too.
    assert [revisions[one.id] for one in (*made, new)] == [2, 2, 2, 2, 3, 2, 2, 1]


async def test_statements_of_many_events_move_in_several_transactions(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The group gets another owner."""
    monkeypatch.setattr(publication_settings, "STATEMENTS_AT_ONCE", 2, raising=False)
    ana, group, made = await _group_with_events(db)
    async with db.transaction() as tx:
        ben = await add_member(tx, group, ana, "Ben", GroupRole.ADMIN)
        await ownership.offer(tx, ana, group.slug, ben.user_id)
        await ownership.accept_offer(tx, ben, group.slug)
    assert await _holders(db) == [ben.user_id] * 2 + [ana.user_id] * (NUMBER - 2)
    await dispatcher.run_once(
        db, {JobKind.MOVE_GROUP_RECORDS: one_job_per_call(group_hosting.moving_group_handler(db))}
    )
    assert await _holders(db) == [ben.user_id] * len(made)
    assert await _left(db) == []


async def _group_with_events(db: Database) -> tuple[Caller, Group, list[Event]]:
    """Ana, her group, and events of it whose records are in Ana's repository."""
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        group = await group_by(tx, ana, sync_enabled="on")
        made = [await _event(tx, ana, group) for _ in range(NUMBER)]
        await tx.execute(_PUBLISH)
        await tx.execute(_SET_RECORDS)
        await enqueue_events_of_group(tx, group.id)
    return ana, group, made


async def _event(tx: Transaction, host: Caller, group: Group) -> Event:
    typed = details(starts="2026-12-04T18:00", ends="2026-12-04T20:00")
    return await events.create(tx, host, typed, group=as_group_of_event(group))


async def _move(db: Database, group_id: GroupId) -> None:
    job = Job(JobKind.MOVE_GROUP_RECORDS, group_id, 1, JobState.LEASED, 0, NOW, 1)
    await group_hosting.moving_group_handler(db)(job)


async def _left(db: Database) -> list[str]:
    """The events whose records in Ana's repository are superseded."""
    async with db.reader() as reader:
        return [row["subject_id"] for row in await reader.fetch(_LEFT)]


async def _revisions(db: Database) -> dict[str, int]:
    async with db.reader() as reader:
        return {row["id"]: row["revision"] for row in await reader.fetch(_REVISIONS)}


async def _holders(db: Database) -> list[str]:
    """The users to whose repositories the group's statements about its events belong."""
    async with db.reader() as reader:
        return [row["user_id"] for row in await reader.fetch(_STATEMENTS)]
