"""The pages for sharing an event, a series or a group: URL, QR code and calendar links, for everyone who can see it."""

from html import unescape
from urllib.parse import parse_qs, urlsplit

import pytest

from openmeet.domain.attendance.model import RsvpReply
from tests.openmeet.site_under_test import ORIGIN, event_by, person, sign_up, site_on


@pytest.fixture
async def site(make_sqlite, clock):
    return site_on(await make_sqlite("openmeet", clock=clock), clock)


def _link(page: str, host: str) -> dict[str, list[str]]:
    """The query parameters of the link to this host."""
    (address,) = [
        unescape(part.split('"')[0]) for part in page.split('href="')[1:] if part.startswith(f"https://{host}/")
    ]
    return parse_qs(urlsplit(address).query)


async def test_the_page_has_the_url_and_calendar_links(site):
    """The calendar links contain instants, so they are correct in every zone."""
    async with site.db.transaction() as tx:
        event = await event_by(
            tx,
            await person(tx, "Ana"),
            title="Tea & cake",
            starts="2026-07-04T18:00",
            ends="2026-07-04T20:00",
            venue_name="Library",
        )
    async with site.browser() as browser:
        shown = (await browser.get(f"/events/{event.slug}")).text
        assert f'href="/events/{event.slug}/share#into-calendar"' in shown
        page = (await browser.get(f"/events/{event.slug}/share")).text
    assert f'value="{ORIGIN}/events/{event.slug}"' in page
    assert "<svg" in page.partition('class="ticket-picture')[2]
    google = _link(page, "calendar.google.com")
    assert google["text"] == ["Tea & cake"]
    assert google["dates"] == ["20260704T160000Z/20260704T180000Z"]
    assert google["location"][0].startswith("Library")
    assert _link(page, "outlook.live.com")["startdt"] == ["2026-07-04T16:00:00Z"]


async def test_whole_days_stay_whole_days_in_the_calendar_links(site):
    """Both calendars expect the day after the last one as the end. Without a time, the days are the same in every zone."""
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        fair = await event_by(tx, ana, starts="2026-07-04", ends="2026-07-05", all_day="yes", time_zone="Asia/Tokyo")
        day = await event_by(tx, ana, starts="2026-07-04", ends="", all_day="yes", time_zone="Asia/Tokyo")
    async with site.browser() as browser:
        pages = [(await browser.get(f"/events/{event.slug}/share")).text for event in (fair, day)]
    assert [_link(page, "calendar.google.com")["dates"] for page in pages] == [
        ["20260704/20260706"],
        ["20260704/20260705"],
    ]
    outlook = [_link(page, "outlook.live.com") for page in pages]
    assert [(link["startdt"], link["enddt"], link["allday"]) for link in outlook] == [
        (["2026-07-04"], ["2026-07-06"], ["true"]),
        (["2026-07-04"], ["2026-07-05"], ["true"]),
    ]


async def test_an_address_for_attendees_is_in_no_link(site):
    """The address appears in the links when the viewer is going."""
    async with site.db.transaction() as tx:
        event = await event_by(
            tx, await person(tx, "Ana"), venue_name="Back room", street="Secret street 9", place_audience="attendees"
        )
    async with site.browser() as browser:
        path = f"/events/{event.slug}/share"
        assert "Secret street" not in (await browser.get(path)).text
        await sign_up(browser, "ben@example.org", "Ben")
        await browser.post(f"/events/{event.slug}/answer", data={"reply": RsvpReply.GOING.value})
        assert "Secret+street" in (await browser.get(path)).text


async def test_a_private_event_has_no_sharing_page_for_strangers(site):
    """People who can see the event read that the link gives nobody else access."""
    async with site.browser() as ana, site.browser() as stranger:
        await sign_up(ana, "ana@example.org", "Ana")
        made = await ana.post(
            "/events/new",
            data={
                "title": "Quiet",
                "starts": "2026-07-04T18:00",
                "time_zone": "Europe/Berlin",
                "visibility": "private",
            },
        )
        path = urlsplit(made.headers["location"]).path + "/share"
        assert "Sharing the link doesn’t let anyone else in." in (await ana.get(path)).text
        assert (await stranger.get(path)).status_code == 404


@pytest.mark.parametrize("visibility", ["public", "unlisted", "private"])
async def test_series_and_groups_can_be_shared(site, visibility):
    """Their pages link to a page with the URL, a QR code and, if they are public, the code for other websites."""
    series = {"title": "Walk", "starts": "2026-07-04T18:00", "time_zone": "Europe/Berlin", "submission": "s"}
    forms = {
        "/events/new": series | {"repeats": "FREQ=WEEKLY;BYDAY=SA", "ends_how": "never", "visibility": visibility},
        "/groups/new": {"name": "Chess", "time_zone": "Europe/Berlin", "visibility": visibility, "submission": "g"},
    }
    async with site.browser() as ana, site.browser() as stranger:
        await sign_up(ana, "ana@example.org", "Ana")
        for form, fields in forms.items():
            made = await ana.post(form, data=fields)
            path = urlsplit(made.headers["location"]).path
            assert f'href="{path}/share" data-share="{ORIGIN}{path}"' in (await ana.get(path)).text
            page = (await ana.get(f"{path}/share")).text
            assert f'value="{ORIGIN}{path}"' in page
            assert 'aria-label="QR code for the page"' in page
            assert (f'href="{path}/embed"' in page) == (visibility == "public")
            assert ("Sharing the link doesn’t let anyone else in." in page) == (visibility == "private")
            assert (await stranger.get(f"{path}/share")).status_code == (404 if visibility == "private" else 200)


async def test_a_host_can_be_shared(site):
    """Like the profile itself, as soon as the person hosts something public."""
    async with site.db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        await event_by(tx, ana)
    async with site.browser() as browser:
        path = f"/people/{ana.user_id}"
        assert f'href="{path}/share" data-share="{ORIGIN}{path}"' in (await browser.get(path)).text
        page = (await browser.get(f"{path}/share")).text
        assert f'value="{ORIGIN}{path}"' in page
        assert "<svg" in page.partition('class="ticket-picture')[2]
        for further in ("embed", "card.png"):
            assert f'href="{path}/{further}"' in page
            assert (await browser.get(f"{path}/{further}")).status_code == 200
        assert (await browser.get(f"/people/{ben.user_id}/share")).status_code == 404
