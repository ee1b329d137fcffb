"""Every feed has links for subscribing to it, and states how often to refresh it. A link to a copy says that the copy
does not follow later changes.
"""

import re
from html import unescape
from urllib.parse import quote

import httpx
import icalendar
import pytest

from groundwork.clock import HandClock
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import ORIGIN, Site, sign_up, site_on

PRACTICE = {
    "title": "Practice & tea",
    "starts": "2026-03-03T18:00",
    "ends": "2026-03-03T20:00",
    "time_zone": "Europe/Berlin",
    "mode": "in_person",
    "venue_name": "The hall",
    "repeats": "FREQ=WEEKLY;BYDAY=TU",
    "ends_how": "never",
}


@pytest.fixture
async def site(make_database: MakeDatabase, clock: HandClock) -> Site:
    return site_on(await make_database("openmeet"), clock)


@pytest.fixture
async def ana(site: Site):
    async with site.browser() as browser:
        await sign_up(browser, "ana@example.org", "Ana")
        yield browser


def links_in(page: str) -> list[str]:
    return [unescape(one) for one in re.findall(r'href="([^"]+)"', page)]


def must_subscribe(page: str, feed: str) -> None:
    """Assert that the page offers this feed to each of the services, to be copied, and as a download."""
    webcal = f"webcal://{feed.partition('://')[2]}"
    links = links_in(page)
    assert webcal in links
    assert f"https://calendar.google.com/calendar/r?cid={quote(webcal, safe='')}" in links
    for host in ("outlook.live.com", "outlook.office.com"):
        assert any(one.startswith(f"https://{host}/calendar/0/addfromweb?url={quote(feed, safe='')}") for one in links)
    assert f'value="{feed}"' in unescape(page)
    assert "updates every 8–24 hours" in page


def head_of(file: bytes) -> dict[str, str]:
    calendar = icalendar.Calendar.from_ical(file)
    assert "REFRESH-INTERVAL;VALUE=DURATION:PT1H\r\n" in file.decode()
    return {name: str(calendar.get(name, "")) for name in ("x-published-ttl", "source", "url", "method")}


async def made(browser: httpx.AsyncClient, path: str, **typed: str) -> str:
    answer = await browser.post(path, data=typed)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


async def test_every_public_page_has_the_links_and_its_files_the_interval(site, ana) -> None:
    series = await made(ana, "/events/new", **PRACTICE)
    group = await made(ana, "/groups/new", name="Choir", time_zone="UTC", visibility="public", join_policy="open")
    person = next(one for one in links_in((await ana.get(series)).text) if one.startswith("/people/"))
    async with site.browser() as stranger:
        for path in (series, group, f"{group}/events", person):
            page = (await stranger.get(path)).text
            feed = f"{ORIGIN}{path.removesuffix('/events')}.ics"
            must_subscribe(page, feed)
            assert f'<a href="{feed}" download>Download a copy</a>: it doesn’t follow later changes.' in page
            head = head_of((await stranger.get(feed)).content)
            assert (head["x-published-ttl"], head["source"], head["method"]) == ("PT1H", feed, "PUBLISH")
            assert head["url"] == feed.removesuffix(".ics")
        must_subscribe((await stranger.get("/?q=practice+%26")).text, f"{ORIGIN}/events.ics?q=practice+%26")


async def test_public_feeds_may_be_cached_and_personal_ones_may_not(site, ana) -> None:
    series = await made(ana, "/events/new", **PRACTICE)
    group = await made(ana, "/groups/new", name="Choir", time_zone="UTC", visibility="public", join_policy="open")
    person = next(one for one in links_in((await ana.get(series)).text) if one.startswith("/people/"))
    feeds = [f"{path}.{kind}" for path in (series, group, person) for kind in ("ics", "atom")] + ["/events.ics"]
    async with site.browser() as stranger:
        for feed in feeds:
            first = await stranger.get(feed)
            assert (first.status_code, first.headers["cache-control"]) == (200, "public, max-age=900"), feed
            again = await stranger.get(feed, headers={"if-none-match": first.headers["etag"]})
            assert (again.status_code, again.headers["cache-control"]) == (304, "public, max-age=900")
    for feed in (f"{series}.ics", f"{group}.ics"):
        own = await ana.get(feed)
        assert (own.headers["cache-control"], "cookie" in own.headers["vary"].lower()) == ("private, no-cache", True)
    await ana.post("/settings/calendars/feed", data={"act": "open"})
    (feed,) = set(re.findall(r'value="([^"]+\.ics)"', (await ana.get("/settings/calendars")).text))
    async with site.browser() as program:
        assert (await program.get(feed)).headers["cache-control"] == "private, no-cache"


async def test_secret_urls_have_the_links_but_are_in_no_file(site, ana) -> None:
    await ana.post("/settings/calendars/feed", data={"act": "open"})
    page = (await ana.get("/settings/calendars")).text
    (feed,) = set(re.findall(r'value="([^"]+\.ics)"', page))
    must_subscribe(page, feed)
    assert "Download a copy" not in page
    async with site.browser() as program:
        file = (await program.get(feed)).content
    head = head_of(file)
    assert (head["source"], head["url"]) == ("", f"{ORIGIN}/my/calendar")
    assert feed.rpartition("/")[2].encode() not in file


async def test_a_date_offers_its_series_and_its_own_file_as_a_copy(site, ana) -> None:
    series = await made(ana, "/events/new", **PRACTICE)
    date = (await ana.get(f"{series}/dates/2026-03-10T18:00:00")).headers["location"]
    async with site.browser() as stranger:
        page = (await stranger.get(date)).text
        assert f'<a href="{series}#calendar">Add all dates to your calendar</a>' in page
        assert f'href="{date}/share#into-calendar"' in page
        shared = (await stranger.get(f"{date}/share")).text
        assert shared.index("Download as a file") < shared.index("A copy: it doesn’t follow later changes.")
        file = (await stranger.get(f"{date}.ics")).text
    assert "REFRESH-INTERVAL" not in file
    assert "SOURCE" not in file


async def test_a_private_series_has_no_links_for_anybody(ana) -> None:
    series = await made(ana, "/events/new", **PRACTICE | {"visibility": "private"})
    assert "webcal:" not in (await ana.get(series)).text
    date = (await ana.get(f"{series}/dates/2026-03-10T18:00:00")).headers["location"]
    assert "#calendar" not in (await ana.get(date)).text
