"""One's own calendar in a browser and by the API."""

import re
from urllib.parse import urlsplit

import pytest

from groundwork.clock import HandClock
from groundwork.workers.limits import JobLimits
from groundwork.workers.pool import PoolLimits, WorkerPool
from openmeet.domain.calendars.fetch import CalendarFetcher
from tests.databases import MakeDatabase
from tests.openmeet.personal_calendar.test_calendar import BOMB, CHOIR, Elsewhere, elsewhere, outgoing
from tests.openmeet.site_under_test import Site, api_session, change_services, h1_of, inputs_of, sign_up, site_on

__all__ = ["elsewhere", "outgoing"]


@pytest.fixture
async def site(make_sqlite: MakeDatabase, clock: HandClock, outgoing: CalendarFetcher) -> Site:
    made = site_on(await make_sqlite("openmeet", clock=clock), clock)
    change_services(made.app, outgoing=outgoing)
    return made


async def test_a_calendar_page_in_each_form(site: Site, elsewhere: Elsewhere) -> None:
    async with site.browser() as browser:
        assert (await browser.get("/my/calendar")).status_code in {303, 401}
        await sign_up(browser, "ana@example.org", "Ana")
        empty = await browser.get("/my/calendar")
        assert h1_of(empty.text) == "My calendar"
        assert "Nothing is on" in empty.text
        added = await browser.post("/settings/calendars", data={"url": elsewhere.url})
        assert (added.status_code, added.headers["location"]) == (303, "/settings/calendars")
        for view in ("month", "week", "agenda", "nonsense"):
            page = await browser.get(f"/my/calendar?view={view}&on=2026-03-07")
            assert page.status_code == 200
            assert "Choir practice" in page.text
        month = (await browser.get("/my/calendar?on=2026-03-07")).text
        assert "Saturday 7 March 2026, 2 events" in month
        assert "17:00–19:00" in month  # the site's zone is UTC
        assert (await browser.get("/my/calendar?on=not-a-day")).status_code == 200
        settings = (await browser.get("/settings/calendars")).text
        assert "secret-7f3a" not in settings
        assert "127.0.0.1" in settings


async def test_what_is_wrong_stands_at_the_field_and_nothing_typed_is_lost(site: Site, elsewhere: Elsewhere) -> None:
    async with site.browser() as browser:
        await sign_up(browser, "ana@example.org", "Ana")
        elsewhere.body = "<html>"
        for url, why in ((elsewhere.url, "This is no calendar file"), ("choir", "Give the whole address")):
            page = await browser.post("/settings/calendars", data={"url": url, "name": "My choir"})
            assert page.status_code == 400
            assert why in page.text
            assert url in page.text
            assert 'value="My choir"' in page.text


async def test_who_subscribed_sees_that_it_takes_too_much_and_starts_it_again(site: Site, elsewhere: Elsewhere) -> None:
    """What happened and what to do stand beside the calendar; programs get the reason as a code."""
    strict = WorkerPool(PoolLimits(job=JobLimits(cpu_seconds=0.1)))
    pool = site.app.state.services.workers
    change_services(site.app, workers=strict)
    try:
        async with site.browser() as browser:
            await sign_up(browser, "ana@example.org", "Ana")
            change_services(site.app, workers=pool)
            await browser.post("/settings/calendars", data={"url": elsewhere.url})
            mine = (await browser.get("/settings/calendars")).text
            (path,) = set(re.findall(r"/settings/calendars/[0-9a-f-]{36}", mine))
            elsewhere.body = BOMB
            change_services(site.app, workers=strict)
            await browser.post(path, data={"act": "refresh"})
            mine = (await browser.get("/settings/calendars")).text
            assert "takes more work than we can give" in mine
            assert "Choir practice" in (await browser.get("/my/calendar?on=2026-03-07")).text
            elsewhere.body = CHOIR.format(extra="smaller")
            change_services(site.app, workers=pool)
            await browser.post(path, data={"act": "refresh"})
            assert "takes more work" not in (await browser.get("/settings/calendars")).text
    finally:
        await strict.close()


async def test_the_feed_is_opened_changed_and_closed(site: Site) -> None:
    async with site.browser() as browser, site.browser() as program:
        await sign_up(browser, "ana@example.org", "Ana")
        await browser.post("/settings/calendars/feed", data={"act": "open"})
        first = _feed_path((await browser.get("/settings/calendars")).text)
        file = await program.get(first)
        assert file.status_code == 200
        assert file.headers["content-type"].startswith("text/calendar")
        assert "noindex" in file.headers["x-robots-tag"]
        assert (await program.get(first, headers={"if-none-match": file.headers["etag"]})).status_code == 304
        await browser.post("/settings/calendars/feed", data={"act": "renew"})
        assert (await program.get(first)).status_code == 404
        second = _feed_path((await browser.get("/settings/calendars")).text)
        assert (await program.get(second)).status_code == 200
        await browser.post("/settings/calendars/feed", data={"act": "close"})
        assert (await program.get(second)).status_code == 404


def _feed_path(html: str) -> str:
    return urlsplit(html.partition('id="own-feed-address"')[2].partition('value="')[2].partition('"')[0]).path


async def test_the_api(site: Site, elsewhere: Elsewhere) -> None:
    """Subscribe, read with a cursor, ask for conflicts, take away."""
    window = {"from": "2026-03-01T00:00:00Z", "to": "2026-04-15T00:00:00Z"}
    async with site.browser() as browser:
        ana = await api_session(browser, "ana@example.org", "Ana")
        ben = await api_session(browser, "ben@example.org", "Ben")
        made = await browser.post("/api/me/calendars", json={"url": elsewhere.url}, headers=ana)
        assert made.status_code == 201, made.text
        again = await browser.post("/api/me/calendars", json={"url": elsewhere.url}, headers=ana)
        assert (again.status_code, again.json()) == (200, made.json())
        by_file = await browser.post("/api/me/calendars", json={"ics": CHOIR.format(extra="2")}, headers=ben)
        assert by_file.json()["health"] == "file"
        whole = (await browser.get("/api/me/calendar", params=window, headers=ana)).json()["entries"]
        paged: list[dict] = []
        cursor = ""
        while True:
            params = {**window, "limit": 2, **({"cursor": cursor} if cursor else {})}
            page = (await browser.get("/api/me/calendar", params=params, headers=ana)).json()
            paged += page["entries"]
            cursor = page["cursor"]
            if cursor is None:
                break
        assert paged == whole
        assert len(whole) == 5
        asked = {"spans": [{"startsAt": "2026-03-07T17:30:00Z"}, {"startsAt": "2026-03-08T17:30:00Z"}]}
        found = (await browser.post("/api/me/calendar/conflicts", json=asked, headers=ana)).json()["conflicts"]
        assert [[one["title"] for one in each] for each in found] == [["Choir practice"], []]
        path = f"/api/me/calendars/{made.json()['id']}"
        assert (await browser.get(path, headers=ben)).status_code == 404
        edited = await browser.put(path, json={"name": "Singing", "isBusy": False}, headers=ana)
        assert edited.json()["name"] == "Singing"
        assert (await browser.post(f"{path}/refresh", headers=ana)).json()["health"] == "fresh"
        assert (await browser.delete(path, headers=ana)).status_code == 204
        assert (await browser.get("/api/me/calendars", headers=ana)).json() == {"calendars": []}
        feed = (await browser.post("/api/calendar-feed", headers=ana)).json()["url"]
        assert (await browser.get("/api/calendar-feed", headers=ana)).json()["url"] == feed
        assert (await browser.delete("/api/calendar-feed", headers=ana)).status_code == 204
        assert (await browser.get(urlsplit(feed).path)).status_code == 404


@pytest.mark.parametrize(
    "params",
    [{}, {"from": "2026-03-01T00:00:00Z", "to": "2026-02-01T00:00:00Z"}, {"from": "x", "to": "y"},
     {"from": "2026-03-01T00:00:00Z", "to": "2028-02-01T00:00:00Z"},
     {"from": "2026-03-01T00:00:00Z", "to": "2026-04-01T00:00:00Z", "cursor": "made-up"},
     {"from": "2026-03-01T00:00:00Z", "to": "2026-04-01T00:00:00Z", "limit": "0"}],
)  # fmt: skip
async def test_what_cannot_be_asked(site: Site, params: dict[str, str]) -> None:
    async with site.browser() as browser:
        ana = await api_session(browser, "ana@example.org", "Ana")
        assert (await browser.get("/api/me/calendar", params=params, headers=ana)).status_code == 400


async def test_without_a_zone_of_ones_own_the_newest_event_says_it_and_drafts_overlap_nothing(site: Site) -> None:
    typed = {"starts": "2026-07-04T18:00", "ends": "2026-07-04T20:00", "mode": "in_person", "visibility": "public"}
    async with site.browser() as browser:
        await sign_up(browser, "ana@example.org", "Ana")
        for title, more in (("Choir", {}), ("Half an idea", {"save": "draft"})):
            form = inputs_of((await browser.get("/events/new")).text)
            sent = form | typed | {"title": title, "time_zone": "Europe/Berlin"} | more
            assert (await browser.post("/events/new", data=sent)).status_code == 303
        day = (await browser.get("/my/calendar?view=week&on=2026-07-04")).text
        assert "Times are in Berlin time (UTC+2)" in day
        assert day.count("18:00–20:00") == 2
        assert "Your draft" in day
        assert "Overlaps with" not in day
