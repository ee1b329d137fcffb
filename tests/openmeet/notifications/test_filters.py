"""Filters of the notification list: in the URL, each with its number of unread notifications."""

import pytest

from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import event_hosting
from openmeet.domain.attendance.model import RsvpReply
from tests.openmeet.site_under_test import event_by, person, signed_in, site_on


@pytest.fixture
async def with_one_notification(make_sqlite, clock):
    """A site with Ben, who has one unread notification about an event."""
    site = site_on(await make_sqlite("openmeet", clock=clock), clock)
    async with site.db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        event = await event_by(tx, ana, title="Board games")
        await attendance.answer(tx, ben, event.slug, RsvpReply.GOING)
        await event_hosting.cancel(tx, ana, event.slug, reason="")
    return site, ben


@pytest.mark.parametrize(
    ("show", "is_there"), [("", True), ("unread", True), ("events", True), ("groups", False), ("chat", False)]
)
async def test_a_filter_shows_only_its_own_kinds(with_one_notification, show: str, is_there: bool):
    site, ben = with_one_notification
    async with signed_in(site, ben.user_id) as browser:
        shown = (await browser.get("/notifications", params={"show": show} if show else {})).text
    assert ("Board games</a>" in shown) is is_there
    assert ("Show all notifications" in shown) is not is_there


async def test_counts_include_only_unread_notifications(with_one_notification):
    """The filter "all" has no number, because the bell shows it. After all are read, no filter has a number, and the
    time of reading is shown.
    """
    site, ben = with_one_notification
    async with signed_in(site, ben.user_id) as browser:
        shown = (await browser.get("/notifications")).text
        assert shown.count('<span class="count">1<span class="hidden"> unread') == 2
        assert ">New</h2>" in shown
        until = shown.partition('name="until" value="')[2].partition('"')[0]
        assert (await browser.post("/notifications", data={"until": until})).status_code == 303
        read = (await browser.get("/notifications")).text
        assert '<span class="count">1' not in read
        assert ">Since yesterday</h2>" in read
        assert "You’ve read everything" in (await browser.get("/notifications", params={"show": "unread"})).text


async def test_an_unknown_filter_shows_everything(with_one_notification):
    site, ben = with_one_notification
    async with signed_in(site, ben.user_id) as browser:
        assert "Board games</a>" in (await browser.get("/notifications", params={"show": "nonsense"})).text
