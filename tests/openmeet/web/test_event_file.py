"""A single event as a file for calendar programs, from the link on its page."""

import icalendar
import pytest

from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.users.model import Caller
from openmeet.domain.users.queries import by_email
from tests.openmeet.site_under_test import event_by, person, sign_up, site_on


@pytest.fixture
async def site(make_sqlite, clock):
    return site_on(await make_sqlite("openmeet"), clock)


def entry_in(file: bytes):
    (entry,) = icalendar.Calendar.from_ical(file).walk("VEVENT")
    return entry


async def test_the_link_on_the_page_gives_a_file_for_its_reader(site):
    secret = {"street": "Geheimgasse 7", "place_audience": "attendees", "capacity": "1"}
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana, mode="hybrid", online_url="https://meet.example/room", **secret)
    path = f"/events/{event.slug}.ics"
    async with site.browser() as stranger, site.browser() as ben:
        page = await stranger.get(f"/events/{event.slug}/share")
        assert f'<a href="{path}" download>' in page.text
        assert "A copy: it doesn’t follow later changes." in page.text
        found = await stranger.get(path)
        assert found.headers["content-type"].startswith("text/calendar")
        entry = entry_in(found.content)
        assert (entry["summary"], entry["status"], entry["dtstart"].dt.isoformat()) == (
            "Board games",
            "CONFIRMED",
            "2026-07-04T18:00:00+02:00",
        )
        assert b"Geheimgasse" not in found.content
        await sign_up(ben, "ben@example.org", "Ben")
        async with site.db.transaction() as tx:
            user = await by_email(tx, "ben@example.org")
            me = Caller(user.id, "Ben")
            await attendance.answer(tx, ana, event.slug, RsvpReply.GOING)
            await attendance.answer(tx, me, event.slug, RsvpReply.GOING)
        waiting = await ben.get(path)
        assert entry_in(waiting.content)["status"] == "TENTATIVE"
        assert b"Geheimgasse" not in waiting.content
        async with site.db.transaction() as tx:
            await attendance.answer(tx, ana, event.slug, RsvpReply.DECLINED)
            await attendance.answer(tx, me, event.slug, RsvpReply.GOING)
        going = await ben.get(path)
        assert entry_in(going.content)["status"] == "CONFIRMED"
        assert "Geheimgasse 7" in entry_in(going.content)["location"]
        assert b"meet.example" not in going.content, "no file contains the link to join"


async def test_nobody_else_gets_the_file_of_a_private_event(site):
    async with site.db.transaction() as tx:
        event = await event_by(tx, await person(tx, "Ana"), visibility="private")
    async with site.browser() as stranger:
        assert (await stranger.get(f"/events/{event.slug}.ics")).status_code == 404
        assert (await stranger.get("/events/none.ics")).status_code == 404
