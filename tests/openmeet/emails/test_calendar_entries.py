"""Calendar entries sent by e-mail stay correct: a date that moves to another series or another time zone leaves no
duplicate.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import icalendar
import pytest
import recurring_ical_events

from groundwork.clock import HOUR, MINUTE, to_datetime
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import event_hosting
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.attendance.tasks import remind
from openmeet.domain.events.edits import details_in
from openmeet.domain.series import actions, apply_edits, cancel_dates, date_queries, queries, undo
from openmeet.domain.series.model import Series
from openmeet.domain.series.plan import in_zone, moved, plan_all, plan_following
from openmeet.domain.users.model import Caller
from openmeet.recurrence.pattern import Pattern
from openmeet.recurrence.wall_time import instant_of
from tests.openmeet.emails.conftest import Post, calendar_of
from tests.openmeet.series.practice import create_weekly_series, dates, lock_series, move_all_dates, retitle
from tests.openmeet.site_under_test import person

HOST = "openmeet.test"


class Calendar:
    """A calendar program that imports the file of every e-mail. Entries are keyed by UID and RECURRENCE-ID, which is an
    instant or a day. The highest SEQUENCE counts, and among equal ones the latest stamp.
    """

    def __init__(self) -> None:
        self.entries: dict[tuple[str, str], icalendar.Event] = {}

    def take_in(self, mails: Sequence[object], to: str) -> None:
        for mail in mails:
            part = calendar_of(mail)
            if mail["To"] != to or part is None:
                continue
            for entry in icalendar.Calendar.from_ical(part.get_content()).walk("VEVENT"):
                name = (str(entry["UID"]), original_in(entry))
                known = self.entries.get(name)
                if known is None or rank(entry) >= rank(known):
                    self.entries[name] = entry

    def shown(self) -> list[tuple[str, str]]:
        """UID and start of the entries that are not cancelled, by start."""
        there = [entry for entry in self.entries.values() if entry["STATUS"] != "CANCELLED"]
        return sorted((str(entry["DTSTART"].dt), str(entry["UID"])) for entry in there)


def original_in(entry: icalendar.Event) -> str:
    original = entry.get("RECURRENCE-ID")
    return "" if original is None else compared(original.dt)


def compared(at: date) -> str:
    """What calendar programs compare: an instant, or a day."""
    return str(at.astimezone(UTC) if isinstance(at, datetime) else at)


def rank(entry: icalendar.Event) -> tuple[int, object]:
    return entry["SEQUENCE"], entry["DTSTAMP"].dt


async def heard_of(post: Post, calendar: Calendar) -> None:
    calendar.take_in(await post.deliver(), "ben@example.org")


async def later(tx, caller, series, at: str, by: timedelta):
    """Move this and the following dates later by this much."""
    series = await lock_series(tx, caller, series)
    start = series.timing.pattern.start
    timing = moved(series.timing, start, start + by, series.timing.length)
    held = await date_queries.stored(tx, series.id)
    return await apply_edits.apply_plan(tx, series, plan_following(series, at, series.content, timing, held, tx.now))


@pytest.fixture
async def practice(post: Post):
    """Ben goes to the first three dates of Ana's practice, and his calendar has them as they were after one move."""
    calendar = Calendar()
    async with post.db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        ben = await person(tx, "Ben")
        for one in (await dates(tx, series))[:3]:
            await attendance.answer(tx, ben, one.slug, RsvpReply.GOING)
        series = await move_all_dates(tx, await lock_series(tx, ana, series), timedelta(minutes=30))
    await heard_of(post, calendar)
    return ana, ben, series, calendar


async def test_after_a_split_each_date_has_one_entry(post: Post, practice) -> None:
    """The entries of the new series replace the old ones, for every date that the person goes to."""
    ana, _, series, calendar = practice
    async with post.db.transaction() as tx:
        second = (await dates(tx, series))[1]
        behind = await later(tx, ana, series, second.position_in_series.original_date, timedelta(hours=1))
        moved_to = [str(one.starts_at) for one in await dates(tx, behind)][:2]
    assert len(moved_to) == 2
    await heard_of(post, calendar)
    uids = [uid for _, uid in calendar.shown()]
    starts = [start for start, _ in calendar.shown()]
    assert f"{behind.id}@{HOST}" in uids
    assert len(starts) == len({start[:10] for start in starts}), starts
    assert {uid for start, uid in calendar.shown() if start[11:16] == "19:30"} == {f"{behind.id}@{HOST}"}
    assert not [1 for start, _ in calendar.shown() if start[11:16] == "18:30" and start[:10] > starts[0][:10]]


async def test_an_undone_split_restores_the_entries(post: Post, practice) -> None:
    ana, _, series, calendar = practice
    before = calendar.shown()
    async with post.db.transaction() as tx:
        second = (await dates(tx, series))[1]
        behind = await later(tx, ana, series, second.position_in_series.original_date, timedelta(hours=1))
    await heard_of(post, calendar)
    assert f"{behind.id}@{HOST}" in {uid for _, uid in calendar.shown()}
    post.site.clock.turn(HOUR // 10)
    async with post.db.transaction() as tx:
        again = await lock_series(tx, ana, await queries.by_id(tx, series.id))
        await undo.undo(tx, again)
    await heard_of(post, calendar)
    assert {uid for _, uid in calendar.shown()} == {f"{series.id}@{HOST}"}
    assert set(before) <= set(calendar.shown())


async def test_another_weekday_leaves_no_entry_on_the_old_one(post: Post, practice) -> None:
    ana, _, series, calendar = practice
    async with post.db.transaction() as tx:
        await move_all_dates(tx, await lock_series(tx, ana, series), timedelta(days=1))
    await heard_of(post, calendar)
    days = {start[:10] for start, _ in calendar.shown()}
    async with post.db.reader() as reader:
        there = {one.starts_local[:10] for one in await dates(reader, series)}
    assert days
    assert days <= there


async def test_a_date_that_leaves_its_series_replaces_its_entry(post: Post, practice) -> None:
    """Deleting a series but keeping its dates sends no e-mail. The reminder has an entry with the new UID, which
    replaces the old one.
    """
    ana, _, series, calendar = practice
    async with post.db.transaction() as tx:
        first = (await dates(tx, series))[0]
        await actions.delete(tx, await lock_series(tx, ana, series), keeps_events=True)
    assert first.starts_at is not None
    post.site.clock.turn(first.starts_at - post.site.clock.now() - 2 * HOUR)
    await remind(post.db)
    post.site.clock.turn(HOUR)
    await heard_of(post, calendar)
    on_the_day = [uid for start, uid in calendar.shown() if start[:10] == first.starts_local[:10]]
    assert on_the_day == [f"{first.id}@{HOST}"]


async def set_timing(post: Post, ana: Caller, series: Series, pattern: Pattern) -> Series:
    """Give all dates this pattern."""
    async with post.db.transaction() as tx:
        locked = await lock_series(tx, ana, series)
        held = await date_queries.stored(tx, series.id)
        timing = replace(locked.timing, pattern=pattern)
        plan = plan_all(locked, locked.content, timing, held, tx.now)
        return await apply_edits.apply_plan(tx, locked, plan)


async def assert_one_entry_per_date(post: Post, series: Series, calendar: Calendar) -> None:
    """Each entry is at the start of a date, and is an occurrence of the series in its file, like those in the file."""
    async with post.db.reader() as reader:
        stored = await dates(reader, series)
    there = {one.starts_local[:10] if one.is_all_day else str(to_datetime(one.starts_at)) for one in stored}
    shown = [entry for entry in calendar.entries.values() if entry["STATUS"] != "CANCELLED"]
    starts = {compared(entry["DTSTART"].dt) for entry in shown}
    assert len(shown) == len(starts) == 2
    assert starts <= there
    async with post.site.browser() as anybody:
        file = (await anybody.get(f"/series/{series.slug}.ics")).content
    (master, *exceptions) = icalendar.Calendar.from_ical(file).walk("VEVENT")
    assert master.get("RECURRENCE-ID") is None
    rule = icalendar.Calendar()
    rule.add_component(master)
    occurrences = recurring_ical_events.of(rule).between((2026, 1, 1), (2028, 1, 1))
    assert {original_in(entry) for entry in (*shown, *exceptions)} <= {
        compared(one["DTSTART"].dt) for one in occurrences
    }


@pytest.mark.parametrize("zone", ["Europe/Lisbon", "+02:00", "UTC"])
async def test_another_zone_of_all_dates_replaces_the_entries(post: Post, practice, zone: str) -> None:
    """Changing it back replaces them again, and a cancellation leaves nothing."""
    ana, _, series, calendar = practice
    old = series.timing.pattern
    for pattern in (in_zone(old, zone), in_zone(old, old.zone_or_utc), in_zone(old, zone)):
        post.site.clock.turn(HOUR)
        series = await set_timing(post, ana, series, pattern)
        await heard_of(post, calendar)
        await assert_one_entry_per_date(post, series, calendar)
    post.site.clock.turn(HOUR)
    async with post.db.transaction() as tx:
        await cancel_dates.cancel(tx, await lock_series(tx, ana, series), "Ice")
    await heard_of(post, calendar)
    assert calendar.shown() == []


async def test_another_zone_and_time_of_all_dates_replace_the_entries(post: Post, practice) -> None:
    """Undone, too. The entries that are cancelled are those that were sent."""
    ana, _, series, calendar = practice
    before = calendar.shown()
    old = series.timing.pattern
    post.site.clock.turn(MINUTE)
    shifted = moved(series.timing, old.start, old.start + timedelta(hours=1), series.timing.length)
    series = await set_timing(post, ana, series, in_zone(shifted.pattern, "Europe/Lisbon"))
    await heard_of(post, calendar)
    await assert_one_entry_per_date(post, series, calendar)
    post.site.clock.turn(MINUTE)
    async with post.db.transaction() as tx:
        await undo.undo(tx, await lock_series(tx, ana, series))
    await heard_of(post, calendar)
    assert calendar.shown() == before
    assert len(calendar.entries) == 3 * len(before), "at 18:00, 18:30 and 19:30 in Lisbon"


async def test_days_instead_of_times_replace_the_entries(post: Post, practice) -> None:
    """At midnight the dates keep their names, and people get no e-mail until something else changes."""
    ana, _, series, calendar = practice
    old = series.timing.pattern
    timing = moved(series.timing, old.start, old.start.replace(hour=0, minute=0), timedelta(days=1))
    series = await set_timing(post, ana, series, timing.pattern)
    await heard_of(post, calendar)
    post.site.clock.turn(HOUR)
    days = replace(timing, pattern=replace(timing.pattern, is_all_day=True))
    series = await set_timing(post, ana, series, days.pattern)
    post.site.clock.turn(HOUR)
    start = days.pattern.start
    series = await set_timing(post, ana, series, moved(days, start, start + timedelta(days=1), days.length).pattern)
    await heard_of(post, calendar)
    await assert_one_entry_per_date(post, series, calendar)


async def test_a_date_in_another_zone_is_the_same_entry(post: Post, practice) -> None:
    """Also as a whole day. It stays an occurrence of the series."""
    ana, _, series, calendar = practice
    async with post.db.reader() as reader:
        first, second, *_ = await dates(reader, series)
    away = replace(details_in(first), time_zone="Europe/Lisbon")
    away = replace(away, starts_at=instant_of(datetime.fromisoformat(away.starts_local), "Europe/Lisbon"), ends_at=None)
    day = second.starts_local[:10]
    whole = replace(
        details_in(second),
        starts_local=f"{day}T00:00:00",
        starts_at=instant_of(datetime.fromisoformat(day), second.time_zone),
        ends_at=None,
        is_all_day=True,
    )
    async with post.db.transaction() as tx:
        await event_hosting.revise(tx, ana, first.slug, away)
        await event_hosting.revise(tx, ana, second.slug, whole)
    await heard_of(post, calendar)
    await assert_one_entry_per_date(post, series, calendar)


async def test_a_person_who_withdraws_after_a_silent_change_keeps_no_entry(post: Post, practice) -> None:
    ana, ben, series, calendar = practice
    post.site.clock.turn(HOUR)
    await heard_of(post, calendar)
    async with post.db.transaction() as tx:
        series = await retitle(tx, await lock_series(tx, ana, series), "Rehearsal", notifies=False)
    post.site.clock.turn(HOUR)
    async with post.db.transaction() as tx:
        for one in (await dates(tx, series))[:3]:
            await attendance.answer(tx, ben, one.slug, RsvpReply.DECLINED)
    post.site.clock.turn(HOUR)
    await heard_of(post, calendar)
    assert calendar.shown() == []
