"""Who hears of what happens to a series; on both engines."""

from datetime import timedelta

from groundwork.clock import DAY, HandClock
from groundwork.database.transaction import Database, Reader
from openmeet.notifications.model import Kind
from openmeet.series import actions, calling_off, tasks
from tests.openmeet.series.practice import begin, dates, go, heard, locked, move, names, re_rule, retitle
from tests.openmeet.site_under_test import person


async def mails(reader: Reader) -> list[str]:
    """To whom a mail about news is owed, by name, in order."""
    rows = await reader.fetch(
        "select u.display_name from news_mails m join users u on u.id = m.user_id order by u.display_name, m.id"
    )
    return [row["display_name"] for row in rows]


async def test_one_edit_of_all_dates_is_one_mail_for_each(practice_db: Database) -> None:
    async with practice_db.transaction() as tx:
        ana, series = await begin(tx)
        ben, cleo, dan = [await person(tx, name) for name in ("Ben", "Cleo", "Dan")]
        found = await dates(tx, series)
        for event in found[:4]:
            await go(tx, ben, event)
        await actions.follow(tx, ben, series.slug)
        await actions.follow(tx, cleo, series.slug)
        await actions.follow(tx, dan, series.slug, notifies=False)
        await tx.execute("delete from news_mails")  # the host's, about Ben's answers
        await move(tx, await locked(tx, ana, series), timedelta(hours=1))
        assert await mails(tx) == ["Ben", "Cleo"]
        assert (await heard(tx, ben), await heard(tx, cleo)) == ([Kind.EVENT_CHANGED], [Kind.EVENT_CHANGED])
        assert await heard(tx, dan) == []


async def test_a_rule_with_other_dates_is_one_mail_for_a_follower_too(practice_db: Database) -> None:
    """Dates changed, dates gone and dates new by one edit are one piece of news."""
    async with practice_db.transaction() as tx:
        ana, series = await begin(tx)
        cleo = await person(tx, "Cleo")
        await actions.follow(tx, cleo, series.slug)
        await re_rule(tx, await locked(tx, ana, series), "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU")
        assert await heard(tx, cleo) == [Kind.EVENT_DELETED]
        await re_rule(tx, await locked(tx, ana, series), "FREQ=WEEKLY;BYDAY=TU,TH")
        assert await heard(tx, cleo) == [Kind.EVENT_DELETED, Kind.NEW_DATE]
        assert await mails(tx) == ["Cleo", "Cleo"]


async def test_a_silent_edit_tells_nobody_and_still_fills_seats(practice_db: Database) -> None:
    async with practice_db.transaction() as tx:
        ana, series = await begin(tx, capacity=1)
        ben, cleo = await person(tx, "Ben"), await person(tx, "Cleo")
        (first, *_) = await dates(tx, series)
        await go(tx, ben, first)
        await go(tx, cleo, first)
        await actions.follow(tx, ben, series.slug)
        await retitle(tx, await locked(tx, ana, series), "Rehearsal", tells=False)
        await calling_off.cancel_dates(tx, await locked(tx, ana, series), names([first]), "ill", tells=False)
        assert (await heard(tx, ben), await heard(tx, cleo)) == ([], [])


async def test_followers_hear_of_dates_cancelled_and_brought_back(practice_db: Database) -> None:
    async with practice_db.transaction() as tx:
        ana, series = await begin(tx)
        ben = await person(tx, "Ben")
        await actions.follow(tx, ben, series.slug)
        some = names(await dates(tx, series))[:3]
        await calling_off.cancel_dates(tx, await locked(tx, ana, series), some, "ill")
        await calling_off.reinstate_dates(tx, await locked(tx, ana, series), some)
        assert await heard(tx, ben) == [Kind.EVENT_CANCELLED, Kind.EVENT_REINSTATED]


async def test_a_pause_is_told_with_its_reason(practice_db: Database) -> None:
    async with practice_db.transaction() as tx:
        ana, series = await begin(tx)
        ben, cleo = await person(tx, "Ben"), await person(tx, "Cleo")
        await actions.follow(tx, ben, series.slug)
        await go(tx, cleo, (await dates(tx, series))[0])
        await actions.pause(tx, await locked(tx, ana, series), "The hall is being mended.")
        await actions.resume(tx, await locked(tx, ana, series))
        row = await tx.fetch_one("select particulars from notifications where kind = 'series_paused' limit 1")
        assert row is not None
        assert "The hall is being mended." in row["particulars"]
        for who in (ben, cleo):
            assert await heard(tx, who) == [Kind.SERIES_PAUSED, Kind.SERIES_RESUMED]


async def test_dates_that_the_clock_adds_are_told_to_followers_once(practice_db: Database, clock: HandClock) -> None:
    async with practice_db.transaction() as tx:
        _, series = await begin(tx)
        ben = await person(tx, "Ben")
        await actions.follow(tx, ben, series.slug)
        assert await heard(tx, ben) == []
    clock.turn(14 * DAY)
    await tasks.roll_windows(practice_db, clock.now())
    await tasks.roll_windows(practice_db, clock.now())
    async with practice_db.reader() as reader:
        assert await heard(reader, ben) == [Kind.NEW_DATE]


async def test_a_follower_who_may_not_see_a_private_series_hears_nothing(practice_db: Database) -> None:
    async with practice_db.transaction() as tx:
        ana, series = await begin(tx)
        ben = await person(tx, "Ben")
        await actions.follow(tx, ben, series.slug)
        await tx.execute("update event_series set template = replace(template, '\"public\"', '\"private\"')")
        await tx.execute("update events set visibility = 'private'")
        await move(tx, await locked(tx, ana, series), timedelta(hours=1))
        assert await heard(tx, ben) == []
