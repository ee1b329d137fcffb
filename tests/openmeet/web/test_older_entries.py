"""Long lists can be read to their end, on pages and in the API: notifications and RSVPs."""

import re

import pytest

from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.notifications import event_kinds
from openmeet.domain.notifications import notify as notifications
from openmeet.domain.users.model import UserId
from openmeet.emails.notifications import content
from openmeet.web.events import api
from tests.openmeet.site_under_test import api_session, event_by, person, sign_up, site_on

MANY = 2 * content.NEWS_SHOWN + 7
AT_ONCE = 15


@pytest.fixture
async def site(make_database, clock):
    return site_on(await make_database("openmeet"), clock)


async def add_notifications(site, name):
    """Give a person this many read notifications about one event, several from the same moment."""
    async with site.db.transaction() as tx:
        event = await event_by(tx, await person(tx, "Host"), title="Tea")
        row = await tx.fetch_one("select id from users where display_name = :name", name=name)
    for start in range(0, MANY, AT_ONCE):
        # One transaction each, because all of them would exceed the time limit of one.
        async with site.db.transaction() as tx:
            for revision in range(start, min(start + AT_ONCE, MANY)):
                said = event_kinds.DatesChanged(is_at=f"room {revision}")
                to = [UserId(row["id"])]
                await notifications.notify(
                    tx, event_kinds.EVENT_CHANGED, notifications.Notice(to, event.id, revision + 2, said)
                )


async def test_all_notifications_can_be_read_with_the_api(site):
    async with site.browser() as client:
        ana = await api_session(client, "ana@example.org", "Ana")
        await add_notifications(site, "Ana")
        pages, cursor = [], ""
        while cursor is not None:
            answer = (await client.get("/api/notifications", params={"cursor": cursor}, headers=ana)).json()
            pages.append([one["id"] for one in answer["items"]])
            cursor = answer["cursor"]
        assert [len(one) for one in pages] == [content.NEWS_SHOWN, content.NEWS_SHOWN, 7]
        assert len({one for page in pages for one in page}) == MANY
        made_up = await client.get("/api/notifications?cursor=nonsense", headers=ana)
        assert (made_up.status_code, made_up.json()["title"]) == (400, "InvalidCursor")


async def test_all_notifications_can_be_read_on_pages(site):
    async with site.browser() as browser:
        await sign_up(browser, "ana@example.org", "Ana")
        await add_notifications(site, "Ana")
        path, seen = "/notifications", []
        while path:
            text = (await browser.get(path)).text
            seen += re.findall(r"has a new place: room (\d+)\.", text)
            found = re.search(r'href="(/notifications\?before=[^"]+)">Older', text)
            path = found[1] if found else ""
        assert sorted(map(int, seen)) == list(range(MANY))
        assert "Back to the newest" in text


async def test_all_attendees_can_be_listed(site, monkeypatch):
    """People on the waitlist come after attendees, on several pages as on one."""
    async with site.db.transaction() as tx:
        event = await event_by(tx, await person(tx, "Host"), title="Tea", capacity="3")
        for number in range(5):
            await attendance.answer(tx, await person(tx, f"Guest{number}"), event.slug, RsvpReply.GOING)
    async with site.browser() as client:
        ana = await api_session(client, "host@example.org", "Host")
        path = f"/api/events/{event.slug}/attendees"
        whole = (await client.get(path, headers=ana)).json()
        assert whole["cursor"] is None
        monkeypatch.setattr(api, "MAX_ATTENDEES", 2)
        found, cursor = [], ""
        while cursor is not None:
            answer = (await client.get(path, params={"cursor": cursor}, headers=ana)).json()
            assert len(answer["attendees"]) <= 2
            found += answer["attendees"]
            cursor = answer["cursor"]
        assert found == whole["attendees"]
        assert len(found) >= 5
        assert (await client.get(path, params={"cursor": "bm8"}, headers=ana)).status_code == 400


async def test_one_tap_searches_near_ones_location(site):
    """The search covers the neighbourhood, which is in the URL. The browser's location is not requested before the tap."""
    async with site.browser() as browser:
        text = (await browser.get("/")).text
    assert re.search(r'<p data-here-for="near" data-here-digits="2" [^>]*hidden>', text)
