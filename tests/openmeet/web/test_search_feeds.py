"""Any search as a calendar, Atom and JSON feed: its results, the same for everybody, with public data only."""

import html
import json
import re
from email.utils import parsedate_to_datetime
from xml.etree import ElementTree as ET

import icalendar
import pytest

from groundwork.clock import DAY, SECOND
from tests.openmeet.site_under_test import event_by, person, site_on


@pytest.fixture
async def site(make_sqlite, clock):
    return site_on(await make_sqlite("openmeet"), clock)


@pytest.fixture
async def browser(site):
    async with site.browser() as client:
        yield client


ATOM = "{http://www.w3.org/2005/Atom}"


async def some_events(site) -> None:
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        await event_by(tx, ana, title="Choir & <tea>", categories="music", tags="evening")
        await event_by(tx, ana, title="Chess", categories="games", description="\x0bMate")
        for visibility in ("unlisted", "private"):
            await event_by(tx, ana, title="Zanzibar", categories="music", visibility=visibility)


async def test_a_search_can_be_followed_in_three_formats(site, browser):
    """Each found event is in the feed once, with what the format requires. The query is the same as the page's."""
    await some_events(site)
    page = (await browser.get("/?category=music")).text
    for kind, media_type in (
        ("ics", "text/calendar"),
        ("atom", "application/atom+xml"),
        ("json", "application/feed+json"),
    ):
        assert f'type="{media_type}"' in page
        assert f'href="/events.{kind}?category=music"' in page
        got = await browser.get(f"/events.{kind}?category=music")
        assert got.headers["content-type"].split(";")[0] == media_type
        assert "Zanzibar" not in got.text
        same = await browser.get(f"/events.{kind}?category=music", headers={"if-none-match": got.headers["etag"]})
        assert (same.status_code, same.content) == (304, b"")
        since = {"if-modified-since": got.headers["last-modified"]}
        assert (await browser.get(f"/events.{kind}?category=music", headers=since)).status_code == 304
        # An ETag is more precise than a date: if both are sent, it decides (RFC 9110, section 13.1.3).
        other = await browser.get(f"/events.{kind}?category=music", headers=since | {"if-none-match": '"other"'})
        assert other.status_code == 200

    calendar = icalendar.Calendar.from_ical((await browser.get("/events.ics?category=music")).content)
    assert [str(event["summary"]) for event in calendar.walk("VEVENT")] == ["Choir & <tea>"]

    feed = ET.fromstring((await browser.get("/events.atom?category=music")).content)  # our own output
    assert feed.findtext(f"{ATOM}title") == "Events: Music"
    # The elements required by RFC 4287, sections 4.1.1 and 4.1.2.
    assert all(feed.findtext(f"{ATOM}{name}") for name in ("id", "title", "updated"))
    (entry,) = feed.findall(f"{ATOM}entry")
    assert all(entry.findtext(f"{ATOM}{name}") for name in ("id", "title", "updated", "summary"))
    assert entry.findtext(f"{ATOM}title") == "Choir & <tea>"
    links = {link.get("rel"): link.get("href") for link in feed.findall(f"{ATOM}link")}
    assert links["self"] == feed.findtext(f"{ATOM}id") == "http://openmeet.test/events.atom?category=music"

    found = json.loads((await browser.get("/events.json?category=music")).content)
    assert found["version"] == "https://jsonfeed.org/version/1.1"
    assert found["feed_url"] == "http://openmeet.test/events.json?category=music"
    (item,) = found["items"]
    assert item["id"]
    assert (item["title"], item["tags"]) == ("Choir & <tea>", ["Music", "evening"])
    assert "content_text" in item


async def test_the_name_of_a_search_is_in_the_readers_language(site, browser):
    browser.headers["accept-language"] = "de"
    for asked, name in (
        ("from=2027-03-01&to=2027-03-01", "Montag, 1.\xa0März 2027"),
        ("from=2027-03-01&to=2027-03-02", "Montag, 1.\xa0März 2027 – Dienstag, 2.\xa0März 2027"),
        ("from=2027-03-01", "ab Montag, 1.\xa0März 2027"),
        ("to=2027-03-02&language=en", "bis Dienstag, 2.\xa0März 2027, Englisch"),
    ):
        feed = ET.fromstring((await browser.get(f"/events.atom?{asked}")).content)  # our own output
        assert feed.findtext(f"{ATOM}title") == f"Events: {name}"


async def test_without_a_query_all_coming_events_are_followed(site, browser):
    await some_events(site)
    feed = ET.fromstring((await browser.get("/events.atom")).content)  # our own output
    titles = {entry.findtext(f"{ATOM}title") for entry in feed.findall(f"{ATOM}entry")}
    assert titles == {"Choir & <tea>", "Chess"}


async def test_an_invalid_search_has_no_feed(site, browser):
    """The error says what is wrong. "My groups" has no feed, because programs read feeds without a session."""
    for query in ("from=yesterday", "groups=mine", "near=here"):
        for kind in ("ics", "atom", "json"):
            assert (await browser.get(f"/events.{kind}?{query}")).status_code == 400
        assert "/events.atom" not in (await browser.get(f"/?{query}")).text


async def test_a_removed_event_changes_the_date_header_within_a_day(site, browser, clock):
    """The removed event was the newest, so the remaining ones have an earlier or equal date."""
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        await event_by(tx, ana, title="Stays")
        leaves = await event_by(tx, ana, title="Leaves")
    sent = await browser.get("/events.json")
    assert parsedate_to_datetime(sent.headers["last-modified"]).timestamp() == clock.now() // SECOND
    async with site.db.transaction() as tx:
        await tx.execute("update events set removed_at = :now where id = :id", now=tx.now, id=leaves.id)
    clock.turn(DAY)
    again = await browser.get("/events.json", headers={"if-modified-since": sent.headers["last-modified"]})
    assert again.status_code == 200
    assert [item["title"] for item in again.json()["items"]] == ["Stays"]


async def test_topics_on_a_page_link_to_their_search(site, browser):
    async with site.db.transaction() as tx:
        event = await event_by(tx, await person(tx, "Ana"), title="Choir", categories="music", tags="c&a, rock'n roll")
    page = (await browser.get(f"/events/{event.slug}")).text
    paths = [html.unescape(path) for path in re.findall(r'<a href="([^"]+)"><span class="chip', page)]
    assert paths == ["/?category=music", "/?tag=c%26a", "/?tag=rock%27n+roll"]
    for path in paths:
        assert "Choir" in (await browser.get(path)).text


async def test_an_empty_feed_is_valid(site, browser):
    found = json.loads((await browser.get("/events.json?q=nothing")).content)
    assert found["items"] == []
    feed = ET.fromstring((await browser.get("/events.atom?q=nothing")).content)  # our own output
    assert feed.findtext(f"{ATOM}updated") == "1970-01-01T00:00:00Z"
