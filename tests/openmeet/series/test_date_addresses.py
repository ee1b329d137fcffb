"""URLs of dates are permanent: after changes of time and day, splits and deletions they lead to the date, or to no
other date.
"""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from groundwork.clock import SECOND, HandClock
from groundwork.database.transaction import Database, Transaction
from groundwork.errors import Gone, NotFound
from openmeet.domain.events.content import Content
from openmeet.domain.events.model import Event
from openmeet.domain.events.values import Visibility
from openmeet.domain.series import actions, apply_edits, date_queries, undo
from openmeet.domain.series.model import Series, Timing
from openmeet.domain.series.plan import plan_following
from openmeet.domain.users.model import UserId
from openmeet.recurrence.pattern import pattern
from openmeet.recurrence.rule import parse_rule
from tests.openmeet.series.practice import (
    FIRST,
    ZONE,
    apply_new_rule,
    create_weekly_series,
    dates,
    lock_series,
    move_all_dates,
    original_dates,
    split_series,
)
from tests.openmeet.site_under_test import person

STORED, COMPUTED = "2026-12-08T18:00:00", "2027-11-23T18:00:00"


async def opened(tx: Transaction, series: Series, name: str, viewer: UserId | None = None) -> Event:
    return await actions.open_date(tx, series.slug, name, viewer=viewer)


async def test_after_a_change_of_time_old_names_lead_to_the_same_days(practice_db: Database) -> None:
    async with practice_db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        before = await opened(tx, series, STORED)
        await move_all_dates(tx, await lock_series(tx, ana, series), timedelta(hours=1, minutes=30))
        assert (await opened(tx, series, STORED)).id == before.id
        assert original_dates([await opened(tx, series, COMPUTED)]) == ["2027-11-23T19:30:00"]
        # Moved again: both the first and the second name lead to it.
        ana_series = await lock_series(tx, ana, series)
        await move_all_dates(tx, ana_series, timedelta(hours=-3))
        for name in (STORED, STORED.replace("18:00", "19:30"), STORED.replace("18:00", "16:30")):
            assert (await opened(tx, series, name)).id == before.id


async def test_after_another_weekday_stored_dates_are_found_by_old_names(practice_db: Database) -> None:
    async with practice_db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        before = await opened(tx, series, STORED)
        moved = await move_all_dates(tx, await lock_series(tx, ana, series), timedelta(days=2))
        assert (await opened(tx, moved, STORED)).id == before.id


async def test_after_another_weekday_unstored_dates_are_found_by_old_names(
    practice_db: Database,
) -> None:
    async with practice_db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        await move_all_dates(tx, await lock_series(tx, ana, series), timedelta(days=2, hours=1))
        assert original_dates([await opened(tx, series, COMPUTED)]) == ["2027-11-25T19:00:00"]
        await move_all_dates(tx, await lock_series(tx, ana, series), timedelta(days=-3))
        # The first name, the second, and the name of a date that nobody has opened yet.
        for name in (COMPUTED, "2027-11-25T19:00:00"):
            assert original_dates([await opened(tx, series, name)]) == ["2027-11-22T19:00:00"]
        assert original_dates([await opened(tx, series, "2027-11-30T18:00:00")]) == ["2027-11-29T19:00:00"]


async def test_after_a_split_and_another_weekday_old_names_lead_to_the_new_part(practice_db: Database) -> None:
    async with practice_db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        new = await split_series(tx, await lock_series(tx, ana, series), "2026-12-01T18:00:00", "Rehearsal")
    async with practice_db.transaction() as tx:
        await move_all_dates(tx, await lock_series(tx, ana, new), timedelta(days=1))
        far = await opened(tx, series, COMPUTED)
        assert (far.title, original_dates([far])) == ("Rehearsal", ["2027-11-24T18:00:00"])
        with pytest.raises(NotFound):
            await opened(tx, series, "2027-11-27T18:00:00")


async def test_names_of_a_part_whose_split_was_undone_lead_to_the_series(practice_db: Database) -> None:
    async with practice_db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        own = await lock_series(tx, ana, series)
        held = await date_queries.stored(tx, own.id)
        thursdays = replace(
            own.timing, pattern=pattern(FIRST + timedelta(days=9), ZONE, parse_rule("FREQ=WEEKLY;BYDAY=TH"))
        )
        plan = plan_following(own, "2026-12-01T18:00:00", own.content, thursdays, held, tx.now)
        new = await apply_edits.apply_plan(tx, own, plan)
        assert original_dates([await opened(tx, series, COMPUTED)]) == ["2027-11-25T18:00:00"]
    async with practice_db.transaction() as tx:
        series = await undo.undo(tx, await lock_series(tx, ana, series))
        assert original_dates([await opened(tx, new, "2027-12-02T18:00:00")]) == ["2027-11-30T18:00:00"]
        assert original_dates([await opened(tx, series, COMPUTED)]) == [COMPUTED]


async def test_after_a_split_old_names_lead_to_the_new_part(practice_db: Database) -> None:
    async with practice_db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        before = await opened(tx, series, STORED)
        new = await split_series(tx, await lock_series(tx, ana, series), "2026-12-01T18:00:00", "Rehearsal")
        assert new.id != series.id
        assert (await opened(tx, series, STORED)).id == before.id
        far = await opened(tx, series, COMPUTED)
        assert far.position_in_series is not None
        assert (far.position_in_series.series_id, far.title) == (new.id, "Rehearsal")
        # The URL also works when that part is moved and split again.
        await move_all_dates(tx, await lock_series(tx, ana, new), timedelta(minutes=30))
        third = await split_series(tx, await lock_series(tx, ana, new), "2027-06-01T18:30:00", "Concert")
        assert (await opened(tx, series, "2027-12-07T18:00:00")).title == third.content.title == "Concert"
        assert (await opened(tx, series, STORED)).id == before.id


async def test_removed_dates_and_times_that_never_were_dates_are_not_found(practice_db: Database) -> None:
    async with practice_db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        for name in ("2026-12-09T18:00:00", "1999-01-05T18:00:00", "9999-12-28T18:00:00", "0001-01-01T00:00:00"):
            with pytest.raises(NotFound):
                await opened(tx, series, name)
        count = len(await dates(tx, series))
        await apply_new_rule(tx, await lock_series(tx, ana, series), "FREQ=WEEKLY;BYDAY=TU;COUNT=4")
        with pytest.raises(NotFound):
            await opened(tx, series, COMPUTED)
        assert len(await dates(tx, series)) <= count, "a view stores nothing"


async def test_of_several_dates_on_a_day_the_nearest_is_opened(practice_db: Database) -> None:
    async with practice_db.transaction() as tx:
        ana = await person(tx, "Ana")
        out = "2027-11-23T10:00:00"
        rule = parse_rule("FREQ=WEEKLY;BYDAY=TU;BYHOUR=10,18")
        twice = pattern(FIRST, ZONE, rule, left_out=[datetime.fromisoformat(out)])
        series = await actions.create(tx, ana, Content("Practice"), Timing(twice, timedelta(hours=2)))
        with pytest.raises(NotFound):
            await opened(tx, series, out)
        assert original_dates([await opened(tx, series, "2027-11-23T17:00:00")]) == ["2027-11-23T18:00:00"]
        assert original_dates([await opened(tx, series, "2027-11-30T12:00:00")]) == ["2027-11-30T10:00:00"]


async def test_kept_dates_of_a_deleted_series_are_found_unless_private(practice_db: Database) -> None:
    async with practice_db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        ben = await person(tx, "Ben")
        kept = await opened(tx, series, STORED)
        await actions.delete(tx, await lock_series(tx, ana, series), keeps_events=True)
        assert (await opened(tx, series, STORED, ben.user_id)).id == kept.id
        with pytest.raises(Gone):
            await opened(tx, series, COMPUTED, ben.user_id)
        await tx.execute("update events set visibility = 'private' where id = :id", id=kept.id)
        with pytest.raises(Gone):
            await opened(tx, series, STORED, ben.user_id)
        assert (await opened(tx, series, STORED, ana.user_id)).id == kept.id


async def test_the_new_part_is_found_only_by_people_who_see_it(practice_db: Database) -> None:
    """A split with another visibility: a part that is now private, or unlisted after a public one, cannot be reached
    from the first part.
    """
    async with practice_db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        ben = await person(tx, "Ben")
        for visibility in (Visibility.UNLISTED, Visibility.PRIVATE):
            own = await lock_series(tx, ana, series)
            held = await date_queries.stored(tx, own.id)
            template = replace(own.content, title="Inner circle", visibility=visibility)
            at = "2026-12-15T18:00:00" if visibility is Visibility.UNLISTED else "2026-12-01T18:00:00"
            new = await apply_edits.apply_plan(tx, own, plan_following(own, at, template, None, held, tx.now))
            with pytest.raises(NotFound):
                await opened(tx, series, COMPUTED, ben.user_id)
            assert new.content.visibility is visibility


async def test_a_series_split_undone_and_split_again_is_found_by_its_first_url(
    practice_db: Database, clock: HandClock
) -> None:
    async with practice_db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
    clock.turn(SECOND)
    async with practice_db.transaction() as tx:
        undone = await split_series(tx, await lock_series(tx, ana, series), "2026-12-01T18:00:00", "Rehearsal")
    clock.turn(SECOND)
    async with practice_db.transaction() as tx:
        await undo.undo(tx, await lock_series(tx, ana, series))
    clock.turn(SECOND)
    async with practice_db.transaction() as tx:
        again = await split_series(tx, await lock_series(tx, ana, series), "2026-12-08T18:00:00", "Rehearsal")
        far = await opened(tx, undone, COMPUTED)
    assert far.position_in_series is not None
    assert (far.position_in_series.series_id, far.position_in_series.original_date) == (again.id, COMPUTED)
