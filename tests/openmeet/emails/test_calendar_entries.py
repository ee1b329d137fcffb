"""Calendar entries sent by e-mail stay correct: a date that moves to another series leaves no duplicate."""

from collections.abc import Sequence
from datetime import timedelta

import icalendar
import pytest

from groundwork.clock import HOUR
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.attendance.tasks import remind
from openmeet.domain.series import actions, apply_edits, date_queries, queries, undo
from openmeet.domain.series.plan import moved, plan_following
from tests.openmeet.emails.conftest import Post, calendar_of
from tests.openmeet.series.practice import create_weekly_series, dates, lock_series, move_all_dates
from tests.openmeet.site_under_test import person

HOST = "openmeet.test"


class Calendar:
    """A calendar program that imports the file of every e-mail. Entries are keyed by UID and RECURRENCE-ID. The highest
    SEQUENCE counts, and among equal ones the latest stamp.
    """

    def __init__(self) -> None:
        self.entries: dict[tuple[str, str], icalendar.Event] = {}

    def take_in(self, mails: Sequence[object], to: str) -> None:
        for mail in mails:
            part = calendar_of(mail)
            if mail["To"] != to or part is None:
                continue
            for entry in icalendar.Calendar.from_ical(part.get_content()).walk("VEVENT"):
                original = entry.get("RECURRENCE-ID")
                name = (str(entry["UID"]), original.dt.isoformat() if original else "")
                known = self.entries.get(name)
                if known is None or rank(entry) >= rank(known):
                    self.entries[name] = entry

    def shown(self) -> list[tuple[str, str]]:
        """UID and start of the entries that are not cancelled, by start."""
        there = [entry for entry in self.entries.values() if entry["STATUS"] != "CANCELLED"]
        return sorted((str(entry["DTSTART"].dt), str(entry["UID"])) for entry in there)


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
