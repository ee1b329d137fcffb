"""Long lists of blocks are applied to what their owner takes over, with few transactions."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from groundwork.clock import HandClock
from groundwork.database.transaction import Database, Transaction
from groundwork.outbox import dispatcher
from groundwork.outbox.delivery import one_job_per_call
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import reevaluation
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.events import actions as events
from openmeet.domain.events.content import Content
from openmeet.domain.groups import actions as groups
from openmeet.domain.moderation import blocks
from openmeet.domain.safety import actions
from openmeet.domain.series import actions as series_actions
from openmeet.domain.series import standing_rsvps
from openmeet.domain.users.model import Caller
from openmeet.outbox.kinds import JobKind
from tests.databases import MakeDatabase
from tests.openmeet.groups.people import group_by
from tests.openmeet.series.practice import NOW, weekly
from tests.openmeet.site_under_test import details, event_by, person
from tests.openmeet.statement_counter import StatementCounter

_BLOCK = "insert into user_blocks (user_id, blocked_id, created_at) values (:host, :other, 1)"
_STRANGERS = """
    insert into users (id, kind, display_name, bio, revision, created_at, updated_at)
    with recursive n(i) as (select 1 union all select i + 1 from n where i < :number)
    select 'stranger' || n.i, kind, 'Stranger', bio, revision, created_at, updated_at from n, users u where u.id = :like
"""
_BLOCK_STRANGERS = """
    insert into user_blocks (user_id, blocked_id, created_at)
    select :host, id, 1 from users where display_name = 'Stranger'
"""
_TIED = """
    select user_id from event_series_followers
     union select user_id from event_series_standing_rsvps
     union select user_id from group_followers
     union select user_id from attendances where status <> 'declined'
"""
_ANSWERS = "select id from attendances where status = 'attending'"


class CountedTransactions:
    """A database that counts its transactions."""

    def __init__(self, db: Database) -> None:
        self._db, self.number = db, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._db, name)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        self.number += 1
        async with self._db.transaction() as tx:
            yield tx


async def test_everybody_on_a_long_list_who_takes_part_is_found(
    make_database: MakeDatabase, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However they take part, and on whatever page of the list they are. Others keep what they have."""
    clock.turn(NOW - clock.now())
    db = await make_database("openmeet", clock=clock)
    monkeypatch.setattr(actions, "BLOCKS_READ_AT_ONCE", 2)
    async with db.transaction() as tx:
        ana, ben, cleo, dan, eve, fay, gil = [
            await person(tx, name) for name in ("Ana", "Ben", "Cleo", "Dan", "Eve", "Fay", "Gil")
        ]
        series = await series_actions.create(tx, ana, Content("Practice"), weekly("FREQ=WEEKLY;COUNT=2"))
        group = await group_by(tx, ana)
        event = await event_by(tx, ana, starts="2027-01-04T18:00", ends="2027-01-04T20:00")
        await series_actions.follow(tx, ben, series.slug)
        await standing_rsvps.answer_all(tx, cleo, series.slug, RsvpReply.GOING)
        await groups.follow(tx, dan, group.slug)
        for guest in (eve, gil):
            await attendance.answer(tx, guest, event.slug, RsvpReply.GOING)
        for other in (ben, cleo, dan, eve, fay):
            await tx.execute(_BLOCK, host=ana.user_id, other=other.user_id)
        await blocks.apply_to_new_host(tx, ana.user_id)
    counted = CountedTransactions(db)
    await _apply(db, counted)
    async with db.reader() as reader:
        assert [row["user_id"] for row in await reader.fetch(_TIED)] == [gil.user_id]
    assert counted.number == 5, "four people, and the second run"


async def test_a_long_list_needs_no_transaction_for_people_who_take_part_in_nothing(
    make_database: MakeDatabase, clock: HandClock
) -> None:
    db = await make_database("openmeet", clock=clock)
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        await event_by(tx, ana)
        await tx.execute(_STRANGERS, number=10_000, like=ana.user_id)
        await tx.execute(_BLOCK_STRANGERS, host=ana.user_id)
        await blocks.apply_to_new_host(tx, ana.user_id)
    counted = CountedTransactions(db)
    await _apply(db, counted)
    assert counted.number == 1


async def test_a_job_ends_the_answers_of_somebody_who_answered_many_events(
    make_database: MakeDatabase, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock.turn(NOW - clock.now())
    db = await make_database("openmeet", clock=clock)
    monkeypatch.setattr(reevaluation, "ENDED_AT_ONCE", 2)
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        series = await series_actions.create(tx, ana, Content("Practice"), weekly("FREQ=WEEKLY;COUNT=5"))
        await standing_rsvps.answer_all(tx, ben, series.slug, RsvpReply.GOING)
        await actions.block(tx, ana, ben.user_id)
        assert len(await tx.fetch(_ANSWERS)) == 3
    await _apply(db, CountedTransactions(db))
    async with db.reader() as reader:
        assert await reader.fetch(_ANSWERS) == []


async def _apply(db: Database, counted: CountedTransactions) -> None:
    handler = actions.apply_blocks_handler(cast("Database", counted))
    assert await dispatcher.run_once(db, {JobKind.APPLY_BLOCKS: one_job_per_call(handler)}) == 1


async def test_a_block_locks_no_events_that_the_blocked_person_did_not_answer(
    make_database: MakeDatabase, clock: HandClock
) -> None:
    clock.turn(NOW - clock.now())
    db = await make_database("openmeet", clock=clock)
    async with db.transaction() as tx:
        ana, ben, cleo = await person(tx, "Ana"), await person(tx, "Ben"), await person(tx, "Cleo")
        await series_actions.create(tx, ana, Content("Practice"), weekly("FREQ=WEEKLY;COUNT=50"))
        for host in (ana, cleo):
            event = await events.create(tx, host, details(starts="2026-12-04T18:00", ends="2026-12-04T20:00"))
            await attendance.answer(tx, ben, event.slug, RsvpReply.GOING)
    rows = [await _rows_read_by_block(db, host, ben) for host in (ana, cleo)]
    assert rows[0] == rows[1]


async def _rows_read_by_block(db: Database, host: Caller, other: Caller) -> int:
    async with db.transaction() as tx:
        counting = StatementCounter(tx)
        await actions.block(counting, host, other.user_id)
    return counting.rows
