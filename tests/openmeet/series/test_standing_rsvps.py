"""Standing RSVPs: going to every date, including dates that are created later; on both engines."""

import asyncio

import pytest

from groundwork.clock import DAY, MINUTE, HandClock
from groundwork.database.transaction import Database
from groundwork.errors import InvalidForm
from groundwork.outbox import dispatcher
from groundwork.outbox.delivery import one_job_per_call
from openmeet.domain.attendance import actions as answers
from openmeet.domain.attendance import registration
from openmeet.domain.attendance.model import AttendanceStatus, ReplyDetails, RsvpReply
from openmeet.domain.attendance.reasons import AttendanceReason
from openmeet.domain.attendance.registration import RegistrationSettings
from openmeet.domain.events import actions as events
from openmeet.domain.events.values import Mode
from openmeet.domain.notifications import event_kinds
from openmeet.domain.series import (
    actions,
    cancel_dates,
    date_queries,
    follower_queries,
    new_date_rsvps,
    standing_rsvps,
    tasks,
)
from openmeet.outbox.kinds import JobKind
from tests.openmeet.series.practice import (
    create_weekly_series,
    dates,
    give_rsvp,
    kinds_received,
    lock_series,
    original_dates,
    split_series,
    status_of,
)
from tests.openmeet.site_under_test import edited_details, person


class Killed(BaseException):
    """The publisher's process was killed."""


GOING, WAITING, NOT_GOING = AttendanceStatus.ATTENDING, AttendanceStatus.WAITLISTED, AttendanceStatus.DECLINED


async def test_standing_rsvps_apply_to_later_dates_without_telling_the_host_again(
    practice_db: Database, clock: HandClock
) -> None:
    async with practice_db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        ben = await person(tx, "Ben")
        outcomes = await standing_rsvps.answer_all(tx, ben, series.slug, RsvpReply.GOING)
        assert [one.status for one in outcomes] == [GOING] * 9
        told = len(await kinds_received(tx, ana))
        far = await actions.open_date(tx, series.slug, "2027-11-23T18:00:00")
        assert await status_of(tx, far, ben) is GOING
    clock.turn(7 * DAY)
    await tasks.roll_windows(practice_db, clock.now())
    async with practice_db.transaction() as tx:
        found = await dates(tx, series)
        assert len(found) == 11
        assert {await status_of(tx, event, ben) for event in found} == {GOING}
        assert await kinds_received(tx, ana) == [event_kinds.NEW_ANSWER] * told


@pytest.mark.parametrize("obstacle", ["cancelled", "answered"])
async def test_the_host_is_told_although_the_first_date_is_not_answered(practice_db: Database, obstacle: str) -> None:
    """The first date is cancelled, or the person was already going to it."""
    async with practice_db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        ben = await person(tx, "Ben")
        first, second, *_ = await dates(tx, series)
        if obstacle == "cancelled":
            await cancel_dates.cancel_dates(tx, await lock_series(tx, ana, series), [original_dates([first])[0]], "")
        else:
            await give_rsvp(tx, ben, first)
        told = len(await kinds_received(tx, ana))
        await standing_rsvps.answer_all(tx, ben, series.slug, RsvpReply.GOING)
        assert await status_of(tx, second, ben) is GOING
        assert (await kinds_received(tx, ana))[told:] == [event_kinds.NEW_ANSWER]


async def test_limits_are_exact_and_the_earliest_standing_rsvp_comes_first(practice_db: Database) -> None:
    async with practice_db.transaction() as tx:
        _, series = await create_weekly_series(tx, capacity=2)
        people = [await person(tx, name) for name in ("Ben", "Cleo", "Dan")]
        careful = await person(tx, "Eve")
        for one in people:
            await standing_rsvps.answer_all(tx, one, series.slug, RsvpReply.GOING)
        assert await standing_rsvps.answer_all(tx, careful, series.slug, RsvpReply.GOING, skips_limited=True) == []
        far = await actions.open_date(tx, series.slug, "2027-11-23T18:00:00")
        assert [await status_of(tx, far, one) for one in (*people, careful)] == [GOING, GOING, WAITING, None]


async def test_concurrent_opening_of_a_date_creates_each_answer_once(practice_db: Database) -> None:
    async with practice_db.transaction() as tx:
        _, series = await create_weekly_series(tx, capacity=1)
        people = [await person(tx, name) for name in ("Ben", "Cleo")]
        for one in people:
            await standing_rsvps.answer_all(tx, one, series.slug, RsvpReply.GOING)

    async def open_it() -> str:
        async with practice_db.transaction() as tx:
            return (await actions.open_date(tx, series.slug, "2027-11-23T18:00:00")).id

    assert len(set(await asyncio.gather(*(open_it() for _ in range(8))))) == 1
    async with practice_db.reader() as reader:
        rows = await reader.fetch(
            "select a.status from attendances a join events e on e.id = a.event_id"
            " where e.original_date = '2027-11-23T18:00:00' order by a.status"
        )
    assert [row["status"] for row in rows] == ["attending", "waitlisted"]


@pytest.mark.parametrize("declines", [True, False])
async def test_a_standing_rsvp_ends_with_one_click(practice_db: Database, *, declines: bool) -> None:
    async with practice_db.transaction() as tx:
        _, series = await create_weekly_series(tx)
        ben = await person(tx, "Ben")
        found = await dates(tx, series)
        await give_rsvp(tx, ben, found[1], RsvpReply.INTERESTED)
        await standing_rsvps.answer_all(tx, ben, series.slug, RsvpReply.GOING)
        assert await standing_rsvps.stop(tx, ben, series.slug, declines=declines) == (9 if declines else 0)
        assert await status_of(tx, found[0], ben) is (NOT_GOING if declines else GOING)
        far = await actions.open_date(tx, series.slug, "2027-11-23T18:00:00")
        assert await status_of(tx, far, ben) is None


async def test_another_answer_to_one_date_stays_and_one_to_all_ends_it(practice_db: Database) -> None:
    async with practice_db.transaction() as tx:
        _, series = await create_weekly_series(tx)
        ben = await person(tx, "Ben")
        await standing_rsvps.answer_all(tx, ben, series.slug, RsvpReply.GOING)
        found = await dates(tx, series)
        await give_rsvp(tx, ben, found[2], RsvpReply.DECLINED)
        await actions.open_date(tx, series.slug, "2027-11-23T18:00:00")
        assert await status_of(tx, found[2], ben) is NOT_GOING
        await standing_rsvps.answer_all(tx, ben, series.slug, RsvpReply.INTERESTED)
        assert await follower_queries.standing_rsvp_of(tx, series.id, ben.user_id) is None


async def test_standing_rsvps_apply_to_a_part_that_is_split_off(practice_db: Database) -> None:
    async with practice_db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        ben = await person(tx, "Ben")
        await standing_rsvps.answer_all(tx, ben, series.slug, RsvpReply.GOING)
        behind = await split_series(tx, await lock_series(tx, ana, series), "2026-12-15T18:00:00", "Winter practice")
        far = await actions.open_date(tx, behind.slug, "2027-11-23T18:00:00")
        assert (far.title, await status_of(tx, far, ben)) == ("Winter practice", GOING)


async def test_a_job_applies_standing_rsvps_to_a_new_date_in_order(
    practice_db: Database, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """People who have since answered that date differently or ended their standing RSVP are skipped, and a second
    delivery changes nothing.
    """
    monkeypatch.setattr(new_date_rsvps, "ANSWERED_AT_ONCE", 3)
    monkeypatch.setattr(new_date_rsvps, "ANSWERED_PER_BATCH", 2)
    async with practice_db.transaction() as tx:
        _, series = await create_weekly_series(tx, capacity=4)
        people = [await person(tx, name) for name in ("Zoe", "Ben", "Cleo", "Dan", "Eve", "Fay", "Gus")]
    for one in people:
        clock.turn(MINUTE)
        async with practice_db.transaction() as tx:
            await follower_queries.put_standing_rsvp(tx, series.id, one.user_id, with_limited=True)
    async with practice_db.transaction() as tx:
        far = await actions.open_date(tx, series.slug, "2027-11-23T18:00:00")
        assert [await status_of(tx, far, one) for one in people] == [None] * 7
        await give_rsvp(tx, people[1], far, RsvpReply.DECLINED)
        await standing_rsvps.stop(tx, people[2], series.slug, declines=False)
    expected = [GOING, NOT_GOING, None, GOING, GOING, GOING, WAITING]
    for _ in range(2):
        while await dispatcher.run_once(
            practice_db,
            {JobKind.NEW_DATE: one_job_per_call(new_date_rsvps.new_date_handler(practice_db))},
        ):
            pass
        async with practice_db.transaction() as tx:
            assert [await status_of(tx, far, one) for one in people] == expected
            assert await tx.execute("update outbox_jobs set state = 'due' where kind = 'new_date'") == 1


async def test_a_handler_that_dies_still_notifies_everybody(
    practice_db: Database, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(new_date_rsvps, "ANSWERED_AT_ONCE", 0)
    monkeypatch.setattr(new_date_rsvps, "ANSWERED_PER_BATCH", 2)
    async with practice_db.transaction() as tx:
        _, series = await create_weekly_series(tx)
        people = [await person(tx, name) for name in ("Ben", "Cleo", "Dan", "Eve", "Fay")]
        for one in people:
            await follower_queries.put_standing_rsvp(tx, series.id, one.user_id, with_limited=True)
        far = await actions.open_date(tx, series.slug, "2027-11-23T18:00:00")
    handlers = {JobKind.NEW_DATE: one_job_per_call(new_date_rsvps.new_date_handler(practice_db))}
    whole, left = follower_queries.standing_rsvps, 2

    async def dying(*args: object, **more: object) -> object:
        nonlocal left
        left -= 1
        if left < 0:
            raise Killed
        return await whole(*args, **more)  # type: ignore[arg-type]  # as it was called

    with monkeypatch.context() as patch:
        patch.setattr(follower_queries, "standing_rsvps", dying)
        with pytest.raises(Killed):
            await dispatcher.run_once(practice_db, handlers)
    clock.turn(2 * MINUTE)
    while await dispatcher.run_once(practice_db, handlers):
        pass
    async with practice_db.reader() as reader:
        assert [await status_of(reader, far, one) for one in people] == [GOING] * 5


async def test_a_limit_for_one_way_of_attending_counts_as_limited(practice_db: Database) -> None:
    """A hybrid series has 5 places in person: a standing RSVP that leaves out limited dates answers neither existing
    nor new ones.
    """
    async with practice_db.transaction() as tx:
        _, series = await create_weekly_series(tx, mode=Mode.HYBRID)
        await registration.put(tx, series.id, RegistrationSettings(limit_in_person=5))
        ben = await person(tx, "Ben")
        mine = (await date_queries.of_series(tx, [series.id], ben.user_id))[series.id]
        assert (mine.dates, mine.limited, mine.unanswered) == (mine.dates, mine.dates, 0)
        assert mine.dates > 0
        assert await date_queries.limits_new_dates(tx, series)
        assert await standing_rsvps.answer_all(tx, ben, series.slug, RsvpReply.GOING, skips_limited=True) == []
        far = await actions.open_date(tx, series.slug, "2027-11-23T18:00:00", viewer=ben.user_id)
        assert await status_of(tx, far, ben) is None
        assert len(await standing_rsvps.answer_all(tx, ben, series.slug, RsvpReply.GOING)) == mine.dates + 1


async def test_a_party_larger_than_the_next_date_is_refused_although_it_has_places_on_the_last(
    practice_db: Database,
) -> None:
    """It would wait forever. Without a number, as many people come as to the last date, or as there are places."""
    async with practice_db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        await registration.put(tx, series.id, RegistrationSettings(max_party=5))
        ben = await person(tx, "Ben")
        first, second, *_ = await dates(tx, series)
        await answers.answer(tx, ben, first.slug, RsvpReply.GOING, ReplyDetails(party=5))
        await events.revise(tx, ana, second.slug, edited_details(second, capacity=3))
        with pytest.raises(InvalidForm) as refused:
            await answers.answer(tx, ben, second.slug, RsvpReply.GOING, ReplyDetails(party=5))
        assert refused.value.problems == {"party": AttendanceReason.FEWER_PLACES(places=3)}
        saved = await answers.answer(tx, ben, second.slug, RsvpReply.GOING)
    assert (saved.status, saved.party) == (GOING, 3)
