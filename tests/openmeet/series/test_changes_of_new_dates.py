"""A new date is changed before a job has added the RSVPs of everybody who goes to all dates or is invited to them. They
hear of the change once, as if they had their RSVPs already; on both engines.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace

import pytest

from groundwork.clock import HOUR, MINUTE, HandClock, Instant
from groundwork.database.transaction import Database, Transaction
from openmeet.domain.attendance import event_hosting, invitation_queries
from openmeet.domain.attendance.model import AttendanceStatus, RsvpReply
from openmeet.domain.events import group_of_event
from openmeet.domain.events.content import Content
from openmeet.domain.events.edits import details_in
from openmeet.domain.events.model import Event
from openmeet.domain.events.queries import by_id
from openmeet.domain.events.values import Visibility
from openmeet.domain.groups import actions as groups
from openmeet.domain.moderation import actions as moderation
from openmeet.domain.moderation.model import ModeratedKind, Subject, SubjectVisibility
from openmeet.domain.notifications import event_kinds
from openmeet.domain.series import actions, cancel_dates, follower_queries, standing_rsvps, undo
from openmeet.domain.series.model import Series
from openmeet.domain.users.model import Caller
from tests.openmeet.groups.people import add_member, group_by
from tests.openmeet.interleaving import run, run_actions_interleaved
from tests.openmeet.series.new_dates import (
    FAR,
    add_rsvps,
    audience,
    in_job_or_not,
    notified,
    notify_the_others,
    statuses,
)
from tests.openmeet.series.practice import lock_series, split_series, weekly
from tests.openmeet.site_under_test import edited_details, person, signed_in, site_on
from tests.openmeet.statement_counter import StatementCounter

GOING, INVITED = AttendanceStatus.ATTENDING, AttendanceStatus.INVITED
CANCELLED, CHANGED, DELETED = event_kinds.EVENT_CANCELLED, event_kinds.EVENT_CHANGED, event_kinds.EVENT_DELETED
# Everybody of ``audience`` except Gus, who only follows the series, and Ian, who no longer goes.
CONCERNED = ("Ben", "Cleo", "Dan", "Eve", "Fay", "Hal")
ALL_RSVPS = dict.fromkeys(("Ben", "Cleo", "Dan", "Eve"), GOING) | {"Fay": INVITED}

only_in_job = pytest.mark.parametrize("in_job", [True], ids=["in a job"], indirect=True)


class Killed(BaseException):
    """The dispatcher's process is killed."""


class RolledBack(Exception):
    """Ends a transaction whose statements were only counted."""


async def new_date(tx: Transaction, **more: object) -> tuple[Caller, Series, Event, dict[str, Caller]]:
    ana, series, people = await audience(tx, **more)
    return ana, series, await actions.open_date(tx, series.slug, FAR[0]), people


async def cancel(tx: Transaction, ana: Caller, date: Event) -> Event:
    return await event_hosting.cancel(tx, ana, date.slug, "ill")


async def move(tx: Transaction, ana: Caller, date: Event) -> Event:
    before = details_in(date)
    assert before.ends_at is not None
    later = replace(
        before,
        starts_local="2027-11-23T19:00:00",
        starts_at=Instant(before.starts_at + HOUR),
        ends_at=Instant(before.ends_at + HOUR),
    )
    return await event_hosting.revise(tx, ana, date.slug, later, is_correction=True)


async def delete(tx: Transaction, ana: Caller, date: Event) -> Event:
    return await event_hosting.delete(tx, ana, date.slug)


CHANGES = {"cancelled": (cancel, CANCELLED), "moved": (move, CHANGED), "deleted": (delete, DELETED)}


async def show_to(db: Database, ana: Caller, date: Event, visibility: Visibility) -> None:
    async with db.transaction() as tx:
        now = await by_id(tx, date.id)
        assert now is not None
        await event_hosting.revise(tx, ana, now.slug, edited_details(now, visibility=visibility))
    await notify_the_others(db)
    async with db.transaction() as tx:
        await tx.execute("delete from notifications")


@pytest.mark.parametrize("first", [add_rsvps, notify_the_others])
@pytest.mark.parametrize("what", CHANGES)
@in_job_or_not
async def test_everybody_hears_once_of_a_change_on_the_page_of_a_new_date(
    practice_db: Database, what: str, first: Callable[[Database], Awaitable[None]], in_job: bool
) -> None:
    change, kind = CHANGES[what]
    async with practice_db.transaction() as tx:
        ana, _, date, people = await new_date(tx)
    async with practice_db.transaction() as tx:
        assert bool(await statuses(tx, date, people)) is not in_job
        await change(tx, ana, date)
    await first(practice_db)
    await add_rsvps(practice_db)
    await notify_the_others(practice_db)
    async with practice_db.reader() as reader:
        assert await notified(reader, people) == {name: [kind] for name in CONCERNED}
        # A deleted date gets no RSVPs.
        assert await statuses(reader, date, people) == ({} if in_job and kind is DELETED else ALL_RSVPS)


@only_in_job
@pytest.mark.usefixtures("in_job")
async def test_everybody_hears_once_if_the_job_was_interrupted(
    practice_db: Database, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job has added two RSVPs when its process is killed. It runs again after the date was moved and cancelled."""
    async with practice_db.transaction() as tx:
        ana, _, date, people = await new_date(tx)
    whole, left = follower_queries.standing_rsvps, 1

    async def dying(*args: object, **more: object) -> object:
        nonlocal left
        left -= 1
        if left < 0:
            raise Killed
        return await whole(*args, **more)  # type: ignore[arg-type]  # as it was called

    with monkeypatch.context() as patch:
        patch.setattr(follower_queries, "standing_rsvps", dying)
        with pytest.raises(Killed):
            await add_rsvps(practice_db)
    async with practice_db.transaction() as tx:
        assert list((await statuses(tx, date, people)).values()).count(GOING) == 2
        await move(tx, ana, date)
    await notify_the_others(practice_db)
    async with practice_db.transaction() as tx:
        await cancel(tx, ana, date)
    await notify_the_others(practice_db)
    clock.turn(2 * MINUTE)  # the lease expires
    await add_rsvps(practice_db)
    await notify_the_others(practice_db)
    async with practice_db.reader() as reader:
        assert await notified(reader, people) == {name: [CHANGED, CANCELLED] for name in CONCERNED}
        assert await statuses(reader, date, people) == ALL_RSVPS


@in_job_or_not
@pytest.mark.usefixtures("in_job")
async def test_the_page_says_how_many_people_hear_of_a_cancellation(practice_db: Database, clock: HandClock) -> None:
    async with practice_db.transaction() as tx:
        ana, _, date, _ = await new_date(tx)
    async with signed_in(site_on(practice_db, clock), ana.user_id) as browser:
        assert "We’ll notify 5 people." in (await browser.get(f"/events/{date.slug}/cancel")).text
        assert "5 people answered." in (await browser.get(f"/events/{date.slug}/delete")).text
        assert "is_correction" in (await browser.get(f"/events/{date.slug}/edit")).text


@only_in_job
@pytest.mark.usefixtures("in_job")
async def test_who_no_longer_sees_a_new_date_does_not_hear_of_it(practice_db: Database) -> None:
    """The host shows it only to invited people, and then cancels it."""
    async with practice_db.transaction() as tx:
        ana, _, date, people = await new_date(tx)
    await show_to(practice_db, ana, date, Visibility.PRIVATE)
    async with practice_db.transaction() as tx:
        await cancel(tx, ana, date)
    await add_rsvps(practice_db)
    await notify_the_others(practice_db)
    async with practice_db.reader() as reader:
        assert await notified(reader, people) == {name: [CANCELLED] for name in ("Dan", "Fay", "Hal")}
        # Hal sees it as a co-host. He has no standing RSVP.
        assert await statuses(reader, date, people) == {"Dan": GOING, "Fay": INVITED}


@only_in_job
@pytest.mark.usefixtures("in_job")
async def test_a_new_date_that_is_shown_again_gets_its_rsvps(practice_db: Database) -> None:
    async with practice_db.transaction() as tx:
        ana, _, date, people = await new_date(tx)
    await show_to(practice_db, ana, date, Visibility.PRIVATE)
    await add_rsvps(practice_db)
    await show_to(practice_db, ana, date, Visibility.PUBLIC)
    await add_rsvps(practice_db)
    async with practice_db.reader() as reader:
        assert await statuses(reader, date, people) == ALL_RSVPS


@only_in_job
@pytest.mark.usefixtures("in_job")
async def test_a_new_date_that_moderators_hide_for_a_time_gets_its_rsvps(practice_db: Database) -> None:
    async with practice_db.transaction() as tx:
        _, _, date, people = await new_date(tx)
        moderator = await person(tx, "Mo")
        subject = Subject(ModeratedKind.EVENT, date.id)
        await moderation.decide(tx, moderator.user_id, subject, SubjectVisibility.HIDDEN, "spam")
    await add_rsvps(practice_db)
    async with practice_db.reader() as reader:
        assert await statuses(reader, date, people) == ALL_RSVPS


@only_in_job
@pytest.mark.usefixtures("in_job")
async def test_who_left_the_group_or_no_longer_goes_to_all_dates_does_not_hear_of_a_new_one(
    practice_db: Database,
) -> None:
    """Ben leaves the private group, and no job has noticed that yet. Cleo ends her standing RSVP."""
    async with practice_db.transaction() as tx:
        ana = await person(tx, "Ana")
        group = await group_by(tx, ana, visibility="private")
        people = {name: await add_member(tx, group, ana, name) for name in ("Ben", "Cleo", "Dan")}
        series = await actions.create(
            tx, ana, Content("Practice"), weekly(), group=group_of_event.as_group_of_event(group)
        )
        for who in people.values():
            await standing_rsvps.answer_all(tx, who, series.slug, RsvpReply.GOING)
        date = await actions.open_date(tx, series.slug, FAR[0], viewer=ana.user_id)
        await tx.execute("delete from notifications")
    async with practice_db.transaction() as tx:
        await groups.leave(tx, people["Ben"], group.slug)
        await standing_rsvps.stop(tx, people["Cleo"], series.slug, declines=False)
        await cancel(tx, ana, date)
    await add_rsvps(practice_db)
    await notify_the_others(practice_db)
    async with practice_db.reader() as reader:
        assert await notified(reader, people) == {"Dan": [CANCELLED]}
        assert await statuses(reader, date, people) == {"Dan": GOING}


@pytest.mark.parametrize("first", [add_rsvps, notify_the_others])
@in_job_or_not
@pytest.mark.usefixtures("in_job")
async def test_a_new_date_that_is_kept_without_its_series_gets_its_rsvps(
    practice_db: Database, first: Callable[[Database], Awaitable[None]]
) -> None:
    async with practice_db.transaction() as tx:
        ana, series, date, people = await new_date(tx)
        await actions.delete(tx, await lock_series(tx, ana, series), keeps_events=True)
    async with practice_db.transaction() as tx:
        await cancel(tx, ana, date)
    await first(practice_db)
    await add_rsvps(practice_db)
    await notify_the_others(practice_db)
    async with practice_db.reader() as reader:
        assert await notified(reader, people) == {name: [CANCELLED] for name in CONCERNED}
        assert await statuses(reader, date, people) == ALL_RSVPS


@in_job_or_not
@pytest.mark.usefixtures("in_job")
async def test_a_new_date_whose_removal_is_undone_gets_its_rsvps(practice_db: Database) -> None:
    """The job runs while the date is removed."""
    async with practice_db.transaction() as tx:
        ana, series, date, people = await new_date(tx)
    async with practice_db.transaction() as tx:
        await cancel_dates.remove_dates(tx, await lock_series(tx, ana, series), FAR[:1])
    await notify_the_others(practice_db)
    await add_rsvps(practice_db)
    async with practice_db.transaction() as tx:
        await undo.undo(tx, await lock_series(tx, ana, series))
    await add_rsvps(practice_db)
    await notify_the_others(practice_db)
    async with practice_db.reader() as reader:
        both = [DELETED, event_kinds.EVENT_REINSTATED]
        # Gus follows the series.
        assert await notified(reader, people) == dict.fromkeys((*CONCERNED, "Gus"), both)
        assert await statuses(reader, date, people) == ALL_RSVPS


@only_in_job
@pytest.mark.usefixtures("in_job")
async def test_the_job_invites_people_of_the_series_that_the_date_moved_to(practice_db: Database) -> None:
    """The job waits for a split, with which Fay is no longer invited to all dates of the later part."""
    async with practice_db.transaction() as tx:
        ana, series, date, people = await new_date(tx)

    async def split(tx: Transaction) -> None:
        later = await split_series(tx, await lock_series(tx, ana, series), "2027-01-05T18:00:00", "Spring practice")
        await invitation_queries.end(tx, later.id, [people["Fay"].user_id])

    statements = 0
    with suppress(RolledBack):
        async with practice_db.transaction() as tx:
            counter = StatementCounter(tx)
            await split(counter)
            statements = counter.statements
            raise RolledBack
    # The commit counts as a statement.
    assert await run_actions_interleaved(practice_db, lambda db: run(db, split), add_rsvps, at=statements + 1)
    await add_rsvps(practice_db)
    async with practice_db.reader() as reader:
        going = dict.fromkeys(("Ben", "Cleo", "Dan", "Eve"), GOING)
        assert await statuses(reader, date, people) == going
