"""Cancelling dates that are not stored yet: everybody who goes to all dates or is invited to them is notified once. If
there are many of these people, a job adds their RSVPs later; on both engines.
"""

from collections.abc import Awaitable, Callable, Sequence

import pytest

from groundwork.database.transaction import Database
from openmeet.domain.attendance import invitations
from openmeet.domain.attendance.model import AttendanceStatus, RsvpReply
from openmeet.domain.events.model import Event
from openmeet.domain.events.values import Visibility
from openmeet.domain.notifications import event_kinds
from openmeet.domain.notifications.event_kinds import DatesChanged
from openmeet.domain.notifications.queries import newest
from openmeet.domain.series import actions, cancel_dates, date_queries, impact, standing_rsvps, undo
from openmeet.domain.series.model import Series
from openmeet.domain.users.model import Caller
from tests.openmeet.series.new_dates import (
    FAR,
    add_rsvps,
    audience,
    in_job_or_not,
    notified,
    notify_the_others,
    statuses,
)
from tests.openmeet.series.practice import create_weekly_series, dates, lock_series
from tests.openmeet.site_under_test import person

GOING, INVITED = AttendanceStatus.ATTENDING, AttendanceStatus.INVITED
CANCELLED, REINSTATED = event_kinds.EVENT_CANCELLED, event_kinds.EVENT_REINSTATED


async def cancel(db: Database, ana: Caller, series: Series, names: Sequence[str]) -> tuple[list[Event], int]:
    """Cancel these dates. Returns them, and how many people the preview said would be notified."""
    async with db.transaction() as tx:
        locked = await lock_series(tx, ana, series)
        stored = await date_queries.named(tx, series.id, names)
        effect = await impact.impact_of_action(
            tx, locked, stored, CANCELLED, dates=len(names), stores_dates=len(stored) < len(names)
        )
        assert await cancel_dates.cancel_dates(tx, locked, names, "ill") == len(names)
        return [one.event for one in await date_queries.named(tx, series.id, names)], effect.notified


@pytest.mark.parametrize("first", [add_rsvps, notify_the_others])
@in_job_or_not
async def test_everybody_hears_once_of_dates_cancelled_before_they_were_stored(
    practice_db: Database, first: Callable[[Database], Awaitable[None]], in_job: bool
) -> None:
    """Two dates make one notification. The preview counts the same people, who have the same RSVPs in the end."""
    async with practice_db.transaction() as tx:
        ana, series, people = await audience(tx, capacity=10)
    (far, _), planned = await cancel(practice_db, ana, series, FAR)
    async with practice_db.reader() as reader:
        assert bool(await statuses(reader, far, people)) is not in_job
    await first(practice_db)
    await add_rsvps(practice_db)
    await notify_the_others(practice_db)
    async with practice_db.reader() as reader:
        told = ("Ben", "Cleo", "Dan", "Fay", "Gus", "Hal")
        assert await notified(reader, people) == {name: [CANCELLED] for name in told}
        assert planned == len(told)
        for name in told:
            (one,) = await newest(reader, people[name].user_id, 10)
            assert isinstance(one.payload, DatesChanged)
            assert (one.subject_id, one.payload.more) == (far.id, 1)
        going = dict.fromkeys(("Ben", "Cleo", "Dan"), GOING)
        assert await statuses(reader, far, people) == going | {"Fay": INVITED}


@in_job_or_not
async def test_dates_that_are_back_have_their_rsvps(practice_db: Database, in_job: bool) -> None:
    """Also if the cancellation is undone before the job runs; and then everybody hears of both."""
    async with practice_db.transaction() as tx:
        ana, series, people = await audience(tx)
    (first, second), _ = await cancel(practice_db, ana, series, FAR)
    await notify_the_others(practice_db)
    async with practice_db.transaction() as tx:
        await undo.undo(tx, await lock_series(tx, ana, series))
    await notify_the_others(practice_db)
    await add_rsvps(practice_db)
    async with practice_db.reader() as reader:
        told = ("Ben", "Cleo", "Dan", "Eve", "Fay", "Gus", "Hal")
        assert await notified(reader, people) == {name: [CANCELLED, REINSTATED] for name in told}
        for event in (first, second):
            going = dict.fromkeys(("Ben", "Cleo", "Dan", "Eve"), GOING)
            assert await statuses(reader, event, people) == going | {"Fay": INVITED}


@in_job_or_not
async def test_a_date_stored_just_before_is_cancelled_or_removed(practice_db: Database, in_job: bool) -> None:
    async with practice_db.transaction() as tx:
        ana, series, people = await audience(tx)
        for name in FAR:
            await actions.open_date(tx, series.slug, name)
    _, planned = await cancel(practice_db, ana, series, FAR[:1])
    async with practice_db.transaction() as tx:
        await cancel_dates.remove_dates(tx, await lock_series(tx, ana, series), FAR[1:])
    await add_rsvps(practice_db)
    await notify_the_others(practice_db)
    async with practice_db.reader() as reader:
        told = ("Ben", "Cleo", "Dan", "Eve", "Fay", "Gus", "Hal")
        assert await notified(reader, people) == {name: [CANCELLED, event_kinds.EVENT_DELETED] for name in told}
        assert planned == len(told)


@in_job_or_not
async def test_nobody_hears_of_a_private_date_that_they_do_not_see(practice_db: Database, in_job: bool) -> None:
    """Ben was only invited to the first date."""
    async with practice_db.transaction() as tx:
        ana, series = await create_weekly_series(tx, visibility=Visibility.PRIVATE)
        people = {name: await person(tx, name) for name in ("Ben", "Cleo")}
        first = (await dates(tx, series))[0]
        await invitations.invite(tx, ana, first.slug, "ben@example.org")
        await invitations.invite(tx, ana, first.slug, "cleo@example.org", for_series=True)
        for who in people.values():
            await standing_rsvps.answer_all(tx, who, series.slug, RsvpReply.GOING)
        await tx.execute("delete from notifications")
    (far,), planned = await cancel(practice_db, ana, series, FAR[:1])
    await add_rsvps(practice_db)
    await notify_the_others(practice_db)
    async with practice_db.reader() as reader:
        assert await notified(reader, people) == {"Cleo": [CANCELLED]}
        assert await statuses(reader, far, people) == {"Cleo": GOING}
        assert planned == 1
