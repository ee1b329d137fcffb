"""People leave groups with many series and events: however many there are, no transaction handles many of them."""

from typing import cast

import pytest

from groundwork.clock import HandClock
from groundwork.database import pages
from groundwork.database.transaction import Database, Transaction
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import queries
from openmeet.domain.attendance.model import AttendanceStatus, RsvpReply
from openmeet.domain.events import actions, group_of_event
from openmeet.domain.events.content import Content
from openmeet.domain.events.model import Event
from openmeet.domain.groups import administration
from openmeet.domain.groups.model import Group
from openmeet.domain.series import actions as series_actions
from openmeet.domain.series import follower_queries, standing_rsvps
from openmeet.domain.series.model import SeriesId
from openmeet.domain.users.model import Caller
from tests.databases import MakeDatabase
from tests.openmeet.groups.people import add_member, group_by
from tests.openmeet.series.practice import NOW, weekly
from tests.openmeet.site_under_test import details, person
from tests.openmeet.statement_counter import CountingDatabase

FEW, MANY = 3, 7


@pytest.fixture
async def db(make_database: MakeDatabase, clock: HandClock, monkeypatch: pytest.MonkeyPatch) -> Database:
    clock.turn(NOW - clock.now())
    monkeypatch.setattr(standing_rsvps, "SERIES_AT_ONCE", 2, raising=False)
    monkeypatch.setattr(pages, "KEYS_AT_ONCE", 2)
    return await make_database("openmeet", clock=clock)


async def _member_of_large_group(tx: Transaction, number: int) -> tuple[Group, Caller, Caller, list[Event]]:
    """A private group with this number of events and series, its owner, and a member who goes to all of them."""
    olga = await person(tx, "Olga")
    group = await group_by(tx, olga, visibility="private")
    gil = await add_member(tx, group, olga, "Gil")
    inside = group_of_event.as_group_of_event(group)
    typed = details(starts="2026-12-04T18:00", ends="2026-12-04T20:00")
    events = [await actions.create(tx, olga, typed, group=inside) for _ in range(number)]
    for event in events:
        await attendance.answer(tx, gil, event.slug, RsvpReply.GOING)
    for _ in range(number):
        series = await series_actions.create(tx, olga, Content("Practice"), weekly("FREQ=WEEKLY;COUNT=1"), group=inside)
        await follower_queries.put_standing_rsvp(tx, series.id, gil.user_id, with_limited=True)
    return group, olga, gil, events


async def _standing(db: Database, gil: Caller) -> list[SeriesId]:
    async with db.reader() as reader:
        return await follower_queries.series_with_standing_rsvp_of(reader, gil.user_id)


async def _going(db: Database, gil: Caller, events: list[Event]) -> int:
    async with db.reader() as reader:
        rsvps = await queries.of_user(reader, gil.user_id, [one.id for one in events])
    return sum(one.status is AttendanceStatus.ATTENDING for one in rsvps.values())


@pytest.mark.parametrize("way", ["removed", "banned"])
async def test_no_transaction_grows_with_the_group(db: Database, way: str) -> None:
    largest: list[tuple[int, int]] = []
    for number in (FEW, MANY):
        async with db.transaction() as tx:
            group, olga, gil, events = await _member_of_large_group(tx, number)
            await (administration.ban if way == "banned" else administration.remove)(tx, olga, group.slug, gil.user_id)
        counting = CountingDatabase(db)
        assert await standing_rsvps.end_rsvps(cast("Database", counting), gil.user_id) == number
        assert (await _standing(db, gil), await _going(db, gil, events)) == ([], 0)
        largest.append((counting.most_statements, counting.most_read))
    assert largest[0] == largest[1]


async def test_a_job_that_fails_is_continued(db: Database) -> None:
    async with db.transaction() as tx:
        group, olga, gil, events = await _member_of_large_group(tx, FEW)
        await administration.remove(tx, olga, group.slug, gil.user_id)
    # One transaction is about co-hosting, two about series, and the next ones about an event each.
    with pytest.raises(ConnectionError):
        await standing_rsvps.end_rsvps(cast("Database", CountingDatabase(db, fails_in=5)), gil.user_id)
    assert (await _standing(db, gil), await _going(db, gil, events)) == ([], FEW - 1)
    assert await standing_rsvps.end_rsvps(db, gil.user_id) == FEW - 1
    assert await _going(db, gil, events) == 0


async def test_somebody_who_returns_meanwhile_keeps_the_rest(db: Database) -> None:
    async with db.transaction() as tx:
        group, olga, gil, events = await _member_of_large_group(tx, MANY)
        await administration.remove(tx, olga, group.slug, gil.user_id)
    with pytest.raises(ConnectionError):
        await standing_rsvps.end_rsvps(cast("Database", CountingDatabase(db, fails_in=3)), gil.user_id)
    async with db.transaction() as tx:
        link = await administration.invite_by_link(tx, olga, group.slug, uses=1)
        await administration.accept(tx, gil, link.id)
    assert await standing_rsvps.end_rsvps(db, gil.user_id) == 0
    # The first page of series was left before.
    assert (len(await _standing(db, gil)), await _going(db, gil, events)) == (MANY - 2, MANY)
