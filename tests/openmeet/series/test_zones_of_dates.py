"""A date with a time zone of its own keeps it when the series changes, and is shown as differing; on both engines."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from groundwork.clock import HandClock, Instant
from groundwork.database.transaction import Database, Transaction
from openmeet.domain.attendance import event_hosting
from openmeet.domain.events.edits import details_in
from openmeet.domain.events.model import Event
from openmeet.domain.notifications import queries as notifications
from openmeet.domain.notifications.event_kinds import DatesChanged
from openmeet.domain.series import apply_edits, date_queries, queries, undo
from openmeet.domain.series.edits import Edit, plan_of
from openmeet.domain.series.model import EditScope, Series, Timing
from openmeet.domain.series.plan import plan_all
from openmeet.domain.users.model import Caller
from openmeet.recurrence.pattern import pattern
from openmeet.recurrence.wall_time import instant_of, local_of
from tests.databases import MakeDatabase
from tests.openmeet.series.practice import (
    NOW,
    ZONE,
    create_weekly_series,
    dates,
    give_rsvp,
    lock_series,
    move_all_dates,
    retitle,
    split_series,
)
from tests.openmeet.site_under_test import Site, person, signed_in, site_on
from tests.visible_text import visible_text

AWAY = "Europe/Lisbon"


@pytest.fixture
async def db(make_database: MakeDatabase, clock: HandClock) -> Database:
    clock.turn(NOW - clock.now())
    return await make_database("openmeet", clock=clock)


async def on_tour(tx: Transaction, ana: Caller, event: Event) -> Event:
    """The date takes place at the usual time of day, in Lisbon."""
    starts_at = instant_of(datetime.fromisoformat(event.starts_local), AWAY)
    length = timedelta(hours=2) // timedelta(microseconds=1)
    details = replace(details_in(event), time_zone=AWAY, starts_at=starts_at, ends_at=Instant(starts_at + length))
    return await event_hosting.revise(tx, ana, event.slug, details)


async def elsewhere(tx: Transaction, ana: Caller, event: Event) -> Event:
    """The date takes place at the usual instant, and its times are shown in another zone."""
    assert event.starts_at is not None
    local = local_of(event.starts_at, AWAY).replace(tzinfo=None).isoformat(timespec="seconds")
    return await event_hosting.revise(
        tx, ana, event.slug, replace(details_in(event), time_zone=AWAY, starts_local=local)
    )


async def tour(tx: Transaction) -> tuple[Caller, Series, Sequence[Event]]:
    """The second date is on tour, and the third is only shown in another zone."""
    ana, series = await create_weekly_series(tx)
    _, second, third, *_ = await dates(tx, series)
    return ana, series, [await on_tour(tx, ana, second), await elsewhere(tx, ana, third)]


def times(events: Sequence[Event]) -> list[tuple[str, str, Instant | None]]:
    return [(one.starts_local, one.time_zone, one.starts_at) for one in events]


async def test_an_edit_of_all_dates_keeps_the_zone_of_a_date(db: Database) -> None:
    """People are notified only of the new title."""
    async with db.transaction() as tx:
        ana, series, away = await tour(tx)
        ben = await person(tx, "Ben")
        await give_rsvp(tx, ben, away[0])
        before = await dates(tx, series)
        await retitle(tx, await lock_series(tx, ana, series), "Rehearsal")
        after = await dates(tx, series)
        assert {one.title for one in after} == {"Rehearsal"}
        assert times(after) == times(before)
        assert after[1].starts_local == "2026-12-01T18:00:00"
        assert [one.time_zone for one in after[:4]] == [ZONE, AWAY, AWAY, ZONE]
        (news,) = await notifications.newest(tx, ben.user_id, 100)
    assert isinstance(news.payload, DatesChanged)
    assert news.payload.parts == ("title",)


async def test_dates_are_marked_as_differing_in_their_zone(db: Database) -> None:
    async with db.transaction() as tx:
        *_, away = await tour(tx)
        assert [one.position_in_series and one.position_in_series.overridden for one in away] == [
            ("starts", "time_zone"),
            ("time_zone",),
        ]


async def test_a_date_that_differs_only_in_its_zone_moves_with_the_others(db: Database) -> None:
    async with db.transaction() as tx:
        ana, series, _ = await tour(tx)
        await move_all_dates(tx, await lock_series(tx, ana, series), timedelta(hours=1))
        first, second, third, fourth, *_ = await dates(tx, series)
    assert (third.starts_local, third.time_zone) == ("2026-12-08T18:00:00", AWAY)
    assert (second.starts_local, second.time_zone) == ("2026-12-01T18:00:00", AWAY), "it has its own time"
    assert first.starts_local[11:16] == fourth.starts_local[11:16] == "19:00"


async def test_an_all_day_date_in_another_zone_is_on_the_same_day(db: Database) -> None:
    async with db.transaction() as tx:
        ana, series, away = await tour(tx)
        locked = await lock_series(tx, ana, series)
        days = pattern(series.timing.pattern.start, ZONE, series.timing.pattern.rule, is_all_day=True)
        stored = await date_queries.stored(tx, series.id)
        plan = plan_all(locked, series.content, Timing(days, timedelta(days=1)), stored, tx.now)
        await apply_edits.apply_plan(tx, locked, plan)
        third = next(one for one in await dates(tx, series) if one.id == away[1].id)
    assert (third.is_all_day, third.starts_local, third.time_zone) == (True, "2026-12-08T00:00:00", AWAY)
    assert third.starts_at == instant_of(datetime.fromisoformat("2026-12-08T00:00"), AWAY)
    assert third.ends_at == instant_of(datetime.fromisoformat("2026-12-09T00:00"), AWAY)


async def test_a_split_keeps_the_zone_of_a_date(db: Database) -> None:
    async with db.transaction() as tx:
        ana, series, away = await tour(tx)
        assert away[0].position_in_series is not None
        at = away[0].position_in_series.original_date
        later = await split_series(tx, await lock_series(tx, ana, series), at, "Winter")
        assert times((await dates(tx, later))[:2]) == times(away)


@pytest.mark.parametrize("scope", [EditScope.ALL, EditScope.FOLLOWING])
async def test_other_dates_get_the_new_zone_of_the_series(db: Database, scope: EditScope) -> None:
    """Undoing the edit restores their zones."""
    async with db.transaction() as tx:
        ana, series, away = await tour(tx)
        before = await dates(tx, series)
        fourth = before[3]
        starts_at = instant_of(datetime.fromisoformat(fourth.starts_local), "Europe/London")
        details = replace(details_in(fourth), time_zone="Europe/London", starts_at=starts_at)
        assert fourth.position_in_series is not None
        edit = Edit(scope, fourth.position_in_series.original_date, details, frozenset({"time_zone"}))
        locked = await lock_series(tx, ana, series)
        plan = plan_of(locked, edit, await date_queries.stored(tx, series.id), tx.now)
        changed = await apply_edits.apply_plan(tx, locked, plan)
        after = {one.id: one for one in [*await dates(tx, series), *await dates(tx, changed)]}
        assert [after[one.id].time_zone for one in away] == [AWAY, AWAY]
        assert after[away[0].id].starts_at == away[0].starts_at
        assert (after[fourth.id].starts_local, after[fourth.id].time_zone) == (fourth.starts_local, "Europe/London")
        again = await lock_series(tx, ana, await queries.by_id(tx, series.id))
        await undo.undo(tx, again)
        assert times(await dates(tx, series)) == times(before)


async def test_the_list_of_dates_names_the_difference(db: Database, clock: HandClock) -> None:
    async with db.transaction() as tx:
        ana, series, _ = await tour(tx)
    site: Site = site_on(db, clock)
    async with signed_in(site, ana.user_id) as browser:
        shown = visible_text((await browser.get(f"/series/{series.slug}")).text)
        found = (await browser.get(f"/api/series/{series.slug}/dates", params={"limit": "3"})).json()["dates"]
    assert shown.count("Different time zone") == 2
    assert [one["differsIn"] for one in found] == [[], ["starts", "timeZone"], ["timeZone"]]
