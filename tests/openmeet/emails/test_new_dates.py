"""People who go to every date of a series get each new date's calendar entry with the notification; on both engines."""

import icalendar
import pytest

from groundwork.clock import DAY, HOUR
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.notifications import notify as notifications
from openmeet.domain.notifications.model import NotificationTopic
from openmeet.domain.series import actions, apply_edits, cancel_dates, date_queries, standing_rsvps
from openmeet.domain.series.plan import plan_all
from openmeet.domain.series.tasks import roll_windows
from tests.openmeet.emails.conftest import Post, calendar_of, html_of, text_of
from tests.openmeet.series.practice import NOW, create_weekly_series, dates, lock_series, weekly
from tests.openmeet.site_under_test import person


@pytest.fixture
async def practice(post: Post):
    """Ben goes to every date of Ana's practice and Cleo follows it. The e-mails about that have been delivered."""
    post.site.clock.turn(NOW - post.site.clock.now())
    async with post.db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        ben, cleo = await person(tx, "Ben"), await person(tx, "Cleo")
        await standing_rsvps.answer_all(tx, ben, series.slug, RsvpReply.GOING)
        await actions.follow(tx, cleo, series.slug)
    post.site.clock.turn(HOUR)
    await post.deliver()
    return ana, ben, cleo, series


async def rolled(post: Post, days: int) -> None:
    post.site.clock.turn(days * DAY)
    await roll_windows(post.db, post.site.clock.now())
    post.site.clock.turn(HOUR)


def entries_of(mail) -> dict[str, str]:
    """The properties of each date in the file, by its start."""
    read = icalendar.Calendar.from_ical(calendar_of(mail).get_content())
    assert read["METHOD"] == "PUBLISH"
    return {str(one["DTSTART"].dt.date()): str(one["STATUS"]) for one in read.walk("VEVENT")}


async def test_a_date_added_by_the_clock_is_mailed_once(post: Post, practice) -> None:
    *_, series = practice
    async with post.db.reader() as reader:
        before = {event.id for event in await dates(reader, series)}
    await rolled(post, 15)
    ben, cleo = await post.deliver()
    assert (ben["To"], cleo["To"]) == ("ben@example.org", "cleo@example.org")
    for words in (text_of(ben), html_of(ben)):
        assert "It’s in a series you go to. You’re going." in " ".join(words.split())
    assert "It’s in a series that you follow." in " ".join(text_of(cleo).split())
    assert calendar_of(cleo) is None
    async with post.db.reader() as reader:
        coming = [one for one in await dates(reader, series) if not one.is_over(reader.now)]
        made = [one for one in coming if one.id not in before]
        assert made
        (told,) = await reader.fetch(
            "select count(*) as n from attendances where calendar_entry = 'stands' and event_id in :ids",
            ids=[one.id for one in made],
        )
    assert told["n"] == len(made)
    assert list(entries_of(ben).values()) == ["CONFIRMED"] * len(coming)
    assert await post.deliver() == []
    await rolled(post, 0)
    assert await post.deliver() == []


async def test_a_changed_rule_is_one_e_mail_with_old_and_new_dates(post: Post, practice) -> None:
    ana, _, _, series = practice
    async with post.db.transaction() as tx:
        held = await lock_series(tx, ana, series)
        timing = weekly("FREQ=WEEKLY;BYDAY=TU,TH")
        stored = await date_queries.stored(tx, held.id)
        await apply_edits.apply_plan(tx, held, plan_all(held, held.content, timing, stored, tx.now))
    post.site.clock.turn(HOUR)
    mails = [one for one in await post.deliver() if one["To"] == "ben@example.org"]
    assert len(mails) == 1
    async with post.db.reader() as reader:
        coming = [one for one in await dates(reader, series) if not one.is_over(reader.now)]
    assert list(entries_of(mails[0]).values()) == ["CONFIRMED"] * len(coming)


async def test_a_date_added_by_the_host_is_mailed(post: Post, practice) -> None:
    ana, _, _, series = practice
    async with post.db.transaction() as tx:
        await cancel_dates.add_date(tx, await lock_series(tx, ana, series), "2026-11-28T15:00:00")
    post.site.clock.turn(HOUR)
    (mail,) = [one for one in await post.deliver() if one["To"] == "ben@example.org"]
    assert entries_of(mail)["2026-11-28"] == "CONFIRMED"


async def test_e_mail_about_new_dates_can_be_switched_off(post: Post, practice) -> None:
    """The topic can be switched off, and so can the notifications of the series that the person follows."""
    _, ben, _, series = practice
    async with post.db.transaction() as tx:
        await actions.follow(tx, ben, series.slug, notifies=False)
    await rolled(post, 15)
    assert [one["To"] for one in await post.deliver()] == ["cleo@example.org"]
    async with post.db.transaction() as tx:
        await actions.follow(tx, ben, series.slug, notifies=True)
        await notifications.stop_mail(tx, ben.user_id, NotificationTopic.NEW_DATES)
    await rolled(post, 8)
    assert [one["To"] for one in await post.deliver()] == ["cleo@example.org"]


async def test_people_who_left_the_series_hear_of_no_new_dates(post: Post, practice) -> None:
    _, ben, _, series = practice
    async with post.db.transaction() as tx:
        await standing_rsvps.stop(tx, ben, series.slug, declines=False)
    await rolled(post, 15)
    assert [one["To"] for one in await post.deliver()] == ["cleo@example.org"]
