"""After a host moves a series, each guest is asked once for all of its dates: on the pages and in the e-mail; on both
engines.
"""

import re
from dataclasses import dataclass
from datetime import timedelta

import pytest

from groundwork.clock import HOUR
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import event_hosting
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.attendance.moved_dates import moved_dates, slugs_of_moved_dates
from openmeet.domain.events.model import Event
from openmeet.domain.search.my_event_lists import coming_up, waiting_for
from openmeet.domain.series.model import Series
from openmeet.domain.sign_in.actions import open_session
from openmeet.domain.sign_in.model import SessionTransport
from openmeet.domain.users.model import Caller
from tests.openmeet.emails.conftest import Post, link_to, text_of
from tests.openmeet.series.practice import NOW, create_weekly_series, dates, give_rsvp, lock_series, move_all_dates
from tests.openmeet.site_under_test import event_by, person, signed_in

ALL_WORK = "All 3 dates still work"


@dataclass(frozen=True)
class Moved:
    """A series of three dates, all of which Ben has answered. Ana has moved it by an hour."""

    post: Post
    ana: Caller
    ben: Caller
    series: Series
    dates: list[Event]

    async def asked(self) -> list[str]:
        """The dates that Ben is asked about."""
        async with self.post.db.reader() as reader:
            return await slugs_of_moved_dates(reader, self.ben.user_id, self.series.id)


@pytest.fixture
async def moved(post: Post) -> Moved:
    post.site.clock.turn(NOW - post.site.clock.now())
    async with post.db.transaction() as tx:
        ana, series = await create_weekly_series(tx, "FREQ=WEEKLY;BYDAY=TU;COUNT=3")
        ben = await person(tx, "Ben")
        for one in await dates(tx, series):
            await give_rsvp(tx, ben, one)
        await move_all_dates(tx, await lock_series(tx, ana, series), timedelta(hours=1))
        return Moved(post, ana, ben, series, await dates(tx, series))


async def test_lists_name_the_series_once(moved: Moved) -> None:
    """Only the first moved date of a series is listed, so that a long series does not displace other events."""
    async with moved.post.db.transaction() as tx:
        single = await event_by(tx, moved.ana, starts="2026-12-24T18:00", ends="2026-12-24T20:00")
        await give_rsvp(tx, moved.ben, single)
        await tx.execute("update events set starts_at = starts_at + 1 where id = :id", id=single.id)
        ben = moved.ben.user_id
        expected = [moved.dates[0].id, single.id]
        assert [one.id for one in await waiting_for(tx, ben, 9)] == expected
        mine = await coming_up(tx, ben, upcoming=1, hosted=1, waiting=2, asked=1)
        assert [one.id for one in mine.waiting] == expected
        # The others are listed in turn.
        await attendance.answer(tx, moved.ben, moved.dates[0].slug, RsvpReply.DECLINED)
        assert [one.id for one in await waiting_for(tx, ben, 9)] == [moved.dates[1].id, single.id]
        found = await moved_dates(tx, ben, [moved.series.id])
        assert [(one.series_slug, one.count) for one in found.values()] == [(moved.series.slug, 2)]
        assert await moved_dates(tx, moved.ana.user_id, [moved.series.id]) == {}


@pytest.mark.parametrize("where", ["home", "notifications", "event", "series"])
async def test_one_button_confirms_all_dates(moved: Moved, where: str) -> None:
    path = {
        "home": "/home",
        "notifications": "/notifications",
        "event": f"/events/{moved.dates[1].slug}",
        "series": f"/series/{moved.series.slug}",
    }[where]
    async with signed_in(moved.post.site, moved.ben.user_id) as guest:
        page = (await guest.get(path)).text
        assert page.count(ALL_WORK + "<") == 1
        # Each date can also be answered by itself: on its own page, in the list of dates, and the next one in the bar.
        assert page.count("Still works<") == {"event": 1, "series": 4}.get(where, 0)
        form = next(one for one in re.findall(r"<form.*?</form>", page, re.DOTALL) if ALL_WORK in one)
        action = re.search(r'action="([^"]+)"', form)
        back = re.search(r'name="next" value="([^"]+)"', form)
        assert action is not None
        assert back is not None
        saved = await guest.post(action[1], data={"next": back[1]})
        assert (saved.status_code, saved.headers["location"]) == (303, path)
        page = (await guest.get(path)).text
        assert "You’ve confirmed 3 dates at their new time." in page
        assert ALL_WORK not in page
    assert await moved.asked() == []


async def test_one_date_can_be_answered_by_itself(moved: Moved) -> None:
    """The button then confirms the others, and disappears when a single one is left."""
    path = f"/series/{moved.series.slug}"
    async with signed_in(moved.post.site, moved.ben.user_id) as guest:
        await guest.post(f"/events/{moved.dates[1].slug}/answer", data={"reply": "declined"})
        assert "All 2 dates still work" in (await guest.get(path)).text
        await guest.post(f"/events/{moved.dates[0].slug}/answer", data={"reply": "going"})
        assert "still work<" not in (await guest.get(path)).text
        assert "still work<" not in (await guest.get(f"/events/{moved.dates[2].slug}")).text
    assert await moved.asked() == [moved.dates[2].slug]


async def test_the_e_mail_asks_once(moved: Moved) -> None:
    """Its first button leads to a page that confirms all dates, without signing in."""
    moved.post.site.clock.turn(HOUR)
    (mail,) = [one for one in await moved.post.deliver() if one["Subject"].startswith("New time")]
    text = text_of(mail)
    labels = re.findall(r"^(.+): http\S+\?reply=", text, re.MULTILINE)
    assert labels == [ALL_WORK, "Only this date works", "Maybe", "Can’t go"]
    link = link_to(mail, "?reply=all_dates")
    async with moved.post.site.browser() as anybody:
        page = (await anybody.get(link)).text
        assert re.findall(r'name="reply" value="(\w+)"', page)[0] == "all_dates"
        saved = await anybody.post(link, data={"reply": "all_dates"}, follow_redirects=True)
        assert (saved.status_code, "Saved." in saved.text, "You’re going." in saved.text) == (200, True, True)
        assert ALL_WORK not in saved.text
    assert await moved.asked() == []


async def test_strangers_confirm_nothing(moved: Moved) -> None:
    """A series that somebody has not answered stays as it is, and an unknown or private one does not exist."""
    async with moved.post.db.transaction() as tx:
        eve = await person(tx, "Eve")
    async with signed_in(moved.post.site, eve.user_id) as other:
        saved = await other.post(f"/series/{moved.series.slug}/new-times", data={"next": "https://evil.example/"})
        assert saved.headers["location"] == f"/series/{moved.series.slug}"
        assert (await other.post("/series/nothing-here/new-times", data={"next": "/"})).status_code == 404
    assert len(await moved.asked()) == 3


async def test_cancelled_dates_are_not_counted(moved: Moved) -> None:
    async with moved.post.db.transaction() as tx:
        await event_hosting.cancel(tx, moved.ana, moved.dates[1].slug, "Rain")
    async with signed_in(moved.post.site, moved.ben.user_id) as guest:
        assert "All 2 dates still work" in (await guest.get("/home")).text


async def test_programs_confirm_all_dates(moved: Moved) -> None:
    async with moved.post.db.transaction() as tx:
        session = await open_session(tx, moved.ben.user_id, SessionTransport.API)
    async with moved.post.site.browser() as program:
        program.headers["authorization"] = f"Bearer {session.token}"
        path = f"/api/series/{moved.series.slug}/answer/new-times"
        assert [(await program.post(path)).json() for _ in range(2)] == [{"confirmed": 3}, {"confirmed": 0}]
