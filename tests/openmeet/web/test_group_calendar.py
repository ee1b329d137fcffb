"""The calendar file of a group, read with a second library: series with their rules, and nothing that a reader may not
see.
"""

from datetime import datetime

import icalendar
import pytest
import recurring_ical_events

from groundwork.clock import DAY, HandClock, Instant
from groundwork.database.transaction import Database, Transaction
from openmeet.domain.events import actions as events
from openmeet.domain.events import group_of_event
from openmeet.domain.events.content import Content
from openmeet.domain.events.model import Event
from openmeet.domain.events.values import Visibility
from openmeet.domain.groups.model import Group
from openmeet.domain.series import actions, agenda, cancel_dates, feed_queries
from openmeet.domain.series.model import Series
from openmeet.domain.users.model import Caller, UserId
from openmeet.web.groups.feeds import calendar_file
from tests.databases import MakeDatabase
from tests.openmeet.groups.people import add_member, group_by
from tests.openmeet.series.practice import NOW, dates, lock_series, weekly
from tests.openmeet.site_under_test import details, person
from tests.openmeet.statement_counter import StatementCounter

URL = "http://openmeet.test"
YEAR = 400 * DAY


@pytest.fixture
async def db(make_database: MakeDatabase, clock: HandClock) -> Database:
    clock.turn(NOW - clock.now())
    return await make_database("openmeet", clock=clock)


async def file_for(tx: Transaction, group: Group, who: Caller | None) -> bytes:
    reader = None if who is None else who.user_id
    file, _ = await calendar_file(tx, group, URL, member=reader, runs=False)
    return file


def shown_in(file: bytes) -> dict[tuple[str, datetime], str]:
    """Title, start and status of every date that a calendar program shows."""
    last = datetime.fromtimestamp((NOW + YEAR) / 1_000_000)  # noqa: DTZ006  # a year, give or take a day
    found = recurring_ical_events.of(icalendar.Calendar.from_ical(file)).between((2025, 1, 1), last)
    shown = {(str(one["SUMMARY"]), one["DTSTART"].dt): str(one["STATUS"]) for one in found}
    assert len(shown) == len(found), "each date is there once"
    return shown


async def series_in(
    tx: Transaction, ana: Caller, group: Group, title: str, visibility: Visibility = Visibility.PUBLIC
) -> Series:
    template = Content(title, visibility=visibility)
    return await actions.create(tx, ana, template, weekly(), group=group_of_event.as_group_of_event(group))


async def show(tx: Transaction, event: Event, visibility: Visibility) -> None:
    await tx.execute("update events set visibility = :to where id = :id", to=visibility.value, id=event.id)


async def planned(tx: Transaction, series: Series, viewer: UserId) -> dict[tuple[str, datetime], str]:
    """The dates of the series in the coming year, according to the site's own list."""
    lines = await agenda.between(tx, series, viewer, tx.now, Instant(tx.now + YEAR), limit=1_000)
    statuses = {True: "CANCELLED", False: "CONFIRMED"}
    return {
        (line.details.content.title, datetime.fromtimestamp(line.details.starts_at / 1_000_000).astimezone()): statuses[
            line.event is not None and line.event.is_cancelled
        ]
        for line in lines
    }


async def test_a_series_is_one_event_with_its_rule_and_its_exceptions(db: Database) -> None:
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        group = await group_by(tx, ana)
        series, other = [await series_in(tx, ana, group, title) for title in ("Practice", "Openings")]
        second, third, fourth = (await dates(tx, series))[1:4]
        last = await lock_series(tx, ana, series)
        await cancel_dates.cancel_dates(tx, last, [place_of(second)], "ill")
        await cancel_dates.remove_dates(tx, last, [place_of(third)])
        await tx.execute("update events set title = 'With guests' where id = :id", id=fourth.id)
        outing = details(title="Outing", starts="2026-12-05T18:00", ends="2026-12-05T20:00")
        await events.create(tx, ana, outing, group=group_of_event.as_group_of_event(group))
        file = await file_for(tx, group, None)
        series = await actions.reread(tx, series.id)
        expected = {**await planned(tx, series, ana.user_id), **await planned(tx, other, ana.user_id)}
    text = file.decode()
    assert (text.count("BEGIN:VTIMEZONE"), text.count("RRULE:FREQ=WEEKLY"), text.count("RECURRENCE-ID")) == (1, 2, 2)
    found = {key: status for key, status in shown_in(file).items() if key[0] != "Outing"}
    assert len(found) > 100, "computed dates are included"
    assert set(shown_in(file)) - set(found), "single events are included"
    assert found == expected
    assert ("With guests", fourth.starts_at) in {(title, at.timestamp() * 1e6) for title, at in found}


def place_of(event: Event) -> str:
    assert event.position_in_series is not None
    return event.position_in_series.original_date


async def test_dates_hidden_from_a_reader_are_not_in_their_file(db: Database, clock: HandClock) -> None:
    """Hidden dates are left out, however old they are. In the files of people who may see them they stay for a year."""
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        group = await group_by(tx, ana)
        ben = await add_member(tx, group, ana, "Ben")
        series = await series_in(tx, ana, group, "Practice")
        inner = (await dates(tx, series))[1]
        await show(tx, inner, Visibility.PRIVATE)
        await tx.execute("update events set title = 'Secret' where id = :id", id=inner.id)
    for days in (0, 380):
        clock.turn(days * DAY)
        async with db.transaction() as tx:
            theirs, mine = await file_for(tx, group, None), await file_for(tx, group, ben)
        starts = {at.timestamp() * 1e6 for _, at in shown_in(theirs)}
        assert inner.starts_at not in starts
        assert b"Secret" not in theirs
        assert len(starts) > 50
        assert (inner.starts_at in {at.timestamp() * 1e6 for _, at in shown_in(mine)}) == (days == 0)


async def test_a_restricted_series_is_only_in_the_files_of_people_who_see_it(db: Database) -> None:
    """A public date of the series is a single event in other files, and reveals nothing about the other dates."""
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        group = await group_by(tx, ana)
        ben = await add_member(tx, group, ana, "Ben")
        kept_away = await add_member(tx, group, ana, "Cleo")
        series = await series_in(tx, ana, group, "Practice", Visibility.PRIVATE)
        openly = (await dates(tx, series))[2]
        assert shown_in(await file_for(tx, group, None)) == {}
        await show(tx, openly, Visibility.PUBLIC)
        assert [at.timestamp() * 1e6 for _, at in shown_in(await file_for(tx, group, None))] == [openly.starts_at]
        assert b"RRULE:FREQ=WEEKLY" not in await file_for(tx, group, None)
        assert len(shown_in(await file_for(tx, group, ben))) > 50
        await tx.execute(
            "insert into user_blocks (user_id, blocked_id, created_at) values (:host, :blocked, :now)",
            host=ana.user_id,
            blocked=kept_away.user_id,
            now=tx.now,
        )
        assert b"RRULE:FREQ=WEEKLY" not in await file_for(tx, group, kept_away)


async def test_series_that_ended_long_ago_are_left_out(db: Database, clock: HandClock) -> None:
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        group = await group_by(tx, ana)
        timing = weekly("FREQ=WEEKLY;COUNT=3")
        await actions.create(tx, ana, Content("Course"), timing, group=group_of_event.as_group_of_event(group))
        assert len(shown_in(await file_for(tx, group, None))) == 3
    clock.turn(400 * DAY)
    async with db.transaction() as tx:
        assert b"VEVENT" not in await file_for(tx, group, None)


async def test_many_series_are_read_by_as_many_statements_as_one(db: Database) -> None:
    counts = []
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        group = await group_by(tx, ana)
        for number in range(20):
            await series_in(tx, ana, group, f"Practice {number}")
            if number in {0, 19}:
                counting = StatementCounter(tx)
                await calendar_file(counting, group, URL, member=None, runs=False)
                counts.append(counting.statements)
    assert counts[0] == counts[1]


async def test_hidden_dates_of_long_ago_are_neither_read_nor_excluded_by_the_rule(
    db: Database, clock: HandClock
) -> None:
    """The rule does not name dates that were cancelled long ago either: in the file it starts a year ago."""
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        group = await group_by(tx, ana)
        series = await series_in(tx, ana, group, "Practice")
        old = (await dates(tx, series))[:5]
        for one in old:
            await show(tx, one, Visibility.PRIVATE)
        before = StatementCounter(tx)
        await calendar_file(before, group, URL, member=None, runs=False)
    clock.turn(500 * DAY)
    async with db.transaction() as tx:
        after = StatementCounter(tx)
        file, _ = await calendar_file(after, group, URL, member=None, runs=False)
    assert after.rows < before.rows
    starts = [at.timestamp() * 1e6 for _, at in shown_in(file)]
    assert min(starts) > NOW + 130 * DAY
    assert b"EXDATE" not in file


async def test_with_too_many_dates_the_past_of_a_series_is_left_out(
    db: Database, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With too many series, the oldest series become single dates. A date that is hidden from the reader is in no file."""
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        group = await group_by(tx, ana)
        made = [await series_in(tx, ana, group, f"Practice {number}") for number in range(3)]
        stored = await dates(tx, made[2])
        for one in (stored[1], stored[-1]):
            await show(tx, one, Visibility.PRIVATE)
    clock.turn(stored[5].starts_at - NOW + 2 * DAY)
    kept = {stored[1].starts_at, stored[-1].starts_at}
    async with db.transaction() as tx:
        whole = {(title, at.timestamp() * 1e6) for title, at in shown_in(await file_for(tx, group, None))}
        monkeypatch.setattr(feed_queries, "MAX_SERIES", 2)
        monkeypatch.setattr(feed_queries, "MAX_DATES", 2 * len(stored) - 5)
        file = await file_for(tx, group, None)
    found = {(title, at.timestamp() * 1e6) for title, at in shown_in(file)}
    assert file.count(b"RRULE:FREQ=WEEKLY") == 2
    assert not {at for title, at in found if title == "Practice 2"} & kept
    assert found < whole
    lost = {title for title, at in whole - found if at < clock.now()}
    assert len(lost) == 1, "one of the two begins later, the other is complete"
    assert all(at < clock.now() or title == "Practice 0" for title, at in whole - found)
    assert {title for title, _ in found} == {"Practice 0", "Practice 1", "Practice 2"}
