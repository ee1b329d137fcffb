"""A person's own calendar in a browser and in the API."""

import re
from html import unescape
from urllib.parse import urlsplit

import pytest

from groundwork.clock import HandClock
from groundwork.workers.limits import JobLimits
from groundwork.workers.pool import PoolLimits, WorkerPool
from openmeet.domain.calendars.fetch import CalendarFetcher
from openmeet.domain.icalendar.components import MAX_BYTES
from tests.databases import MakeDatabase
from tests.openmeet.calendars.calendar_server import BOMB_CALENDAR, CHOIR_CALENDAR, CalendarServer, elsewhere, fetcher
from tests.openmeet.calendars.full_month import calendar, full_month
from tests.openmeet.site_under_test import (
    Site,
    api_session,
    change_services,
    event_by,
    h1_of,
    inputs_of,
    person,
    sign_up,
    signed_in,
    site_on,
)

__all__ = ["elsewhere", "fetcher"]


@pytest.fixture
async def site(make_sqlite: MakeDatabase, clock: HandClock, fetcher: CalendarFetcher) -> Site:
    made = site_on(await make_sqlite("openmeet", clock=clock), clock)
    change_services(made.app, calendar_fetcher=fetcher)
    return made


async def test_a_calendar_page_in_each_form(site: Site, elsewhere: CalendarServer) -> None:
    async with site.browser() as browser:
        assert (await browser.get("/my/calendar")).status_code in {303, 401}
        await sign_up(browser, "ana@example.org", "Ana")
        empty = await browser.get("/my/calendar")
        assert h1_of(empty.text) == "March 2026"
        assert "Nothing is on" in empty.text
        added = await browser.post("/settings/calendars", data={"url": elsewhere.url})
        assert (added.status_code, added.headers["location"]) == (303, "/settings/calendars")
        for view in ("month", "week", "agenda", "nonsense"):
            page = await browser.get(f"/my/calendar?view={view}&on=2026-03-07")
            assert page.status_code == 200
            assert "Choir practice" in page.text
        month = (await browser.get("/my/calendar?on=2026-03-07")).text
        assert "Saturday 7 March 2026, 2 events" in month
        assert "Saturday 7 March 2026, 2 events, chosen" in month
        assert "17:00–19:00" in month  # the site's zone is UTC
        assert (await browser.get("/my/calendar?on=not-a-day")).status_code == 200
        settings = (await browser.get("/settings/calendars")).text
        assert "secret-7f3a" not in settings
        assert "127.0.0.1" in settings


async def test_errors_are_shown_at_the_field_and_input_is_kept(site: Site, elsewhere: CalendarServer) -> None:
    async with site.browser() as browser:
        await sign_up(browser, "ana@example.org", "Ana")
        elsewhere.body = "<html>"
        for url, why in (
            (elsewhere.url, "This isn’t a calendar file"),
            ("choir", "Enter the calendar’s whole address"),
            ("https://eva:tea@choir.example/a.ics", "This address has a name or password in it"),
        ):
            page = await browser.post("/settings/calendars", data={"url": url, "name": "My choir"})
            assert page.status_code == 400
            assert why in page.text
            assert url in page.text
            assert 'value="My choir"' in page.text


async def test_an_address_that_does_not_work_is_explained_in_the_language_of_the_page(
    site: Site, elsewhere: CalendarServer
) -> None:
    async with site.browser() as browser:
        await sign_up(browser, "ana@example.org", "Ana")

        async def problem(language: str) -> str:
            page = await browser.post(
                "/settings/calendars", data={"url": elsewhere.url}, headers={"accept-language": language}
            )
            return unescape(page.text)

        elsewhere.status = 404
        english, german = await problem("en"), await problem("de")
        assert "127.0.0.1 answered with status 404. Check that the address opens in a browser" in english
        assert "127.0.0.1 hat mit Status 404 geantwortet. Schau nach, ob sich die Adresse im Browser" in german
        elsewhere.status, elsewhere.body = 200, "x" * (MAX_BYTES + 1)
        assert "This calendar is too big for us to read. Share fewer years" in await problem("en")


async def test_the_owner_of_an_expensive_calendar_can_retry_it(site: Site, elsewhere: CalendarServer) -> None:
    """The reason and the next step are shown next to the calendar. API clients get the reason as a code."""
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
            elsewhere.body = BOMB_CALENDAR
            change_services(site.app, workers=strict)
            await browser.post(path, data={"act": "refresh"})
            mine = (await browser.get("/settings/calendars")).text
            assert "takes too long to read" in mine
            assert "Choir practice" in (await browser.get("/my/calendar?on=2026-03-07")).text
            elsewhere.body = CHOIR_CALENDAR.format(extra="smaller")
            change_services(site.app, workers=pool)
            await browser.post(path, data={"act": "refresh"})
            assert "takes too long" not in (await browser.get("/settings/calendars")).text
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


async def test_a_client_subscribes_reads_and_unsubscribes(site: Site, elsewhere: CalendarServer) -> None:
    """A client can subscribe, read with a cursor, ask for conflicts, and unsubscribe."""
    window = {"from": "2026-03-01T00:00:00Z", "to": "2026-04-15T00:00:00Z"}
    async with site.browser() as browser:
        ana = await api_session(browser, "ana@example.org", "Ana")
        ben = await api_session(browser, "ben@example.org", "Ben")
        made = await browser.post("/api/me/calendars", json={"url": elsewhere.url}, headers=ana)
        assert made.status_code == 201, made.text
        again = await browser.post("/api/me/calendars", json={"url": elsewhere.url}, headers=ana)
        assert (again.status_code, again.json()) == (200, made.json())
        by_file = await browser.post("/api/me/calendars", json={"ics": CHOIR_CALENDAR.format(extra="2")}, headers=ben)
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
        assert (await browser.get("/api/me/calendars", headers=ana)).json() == {"calendars": [], "cursor": None}
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
async def test_invalid_requests_are_refused(site: Site, params: dict[str, str]) -> None:
    async with site.browser() as browser:
        ana = await api_session(browser, "ana@example.org", "Ana")
        assert (await browser.get("/api/me/calendar", params=params, headers=ana)).status_code == 400


async def test_the_default_zone_is_that_of_the_newest_event(site: Site) -> None:
    typed = {"starts": "2026-07-04T18:00", "ends": "2026-07-04T20:00", "mode": "in_person", "visibility": "public"}
    async with site.browser() as browser:
        await sign_up(browser, "ana@example.org", "Ana")
        for title, more in (("Choir", {}), ("Half an idea", {"save": "draft"})):
            form = inputs_of((await browser.get("/events/new")).text)
            sent = form | typed | {"title": title, "time_zone": "Europe/Berlin"} | more
            assert (await browser.post("/events/new", data=sent)).status_code == 303
        week = (await browser.get("/my/calendar?view=week&on=2026-07-04")).text
        assert "Times are in Berlin time" in week
        assert "Your draft" in week
        assert week.count("column-1 of-2") == 1
        assert 'class="wk wk-from-9 wk-to-23 at-h17"' in week, (
            "phones show the day from one hour before its first entry"
        )
        empty = (await browser.get("/my/calendar?view=week&on=2026-07-03")).text
        assert 'class="wk wk-from-9 wk-to-23 at-h9"' in empty
        day = (await browser.get("/my/calendar?on=2026-07-04")).text
        assert day.count("18:00–20:00") == 2
        assert " overlap " not in day


async def test_clients_see_which_entries_are_drafts(site: Site) -> None:
    event = {"startsLocal": "2026-07-04T18:00", "endsLocal": "2026-07-04T20:00", "timeZone": "Europe/Berlin"}
    window = {"from": "2026-07-01T00:00:00Z", "to": "2026-08-01T00:00:00Z"}
    async with site.browser() as browser:
        ana = await api_session(browser, "ana@example.org", "Ana")
        for title, is_draft in (("Choir", False), ("Half an idea", True)):
            made = await browser.post("/api/events", json=event | {"title": title, "isDraft": is_draft}, headers=ana)
            assert (made.status_code, made.json()["isDraft"]) == (201, is_draft), made.text
        entries = (await browser.get("/api/me/calendar", params=window, headers=ana)).json()["entries"]
    assert {one["title"]: one["isDraft"] for one in entries} == {"Choir": False, "Half an idea": True}


async def test_titles_in_another_language_say_so(site: Site) -> None:
    """Otherwise a browser does not hyphenate them in the narrow columns of a week."""
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        for title, languages in (("Nachbarschaftsversammlung", "de"), ("Games night", "en")):
            await event_by(
                tx, ana, title=title, languages=languages, starts="2026-03-05T19:00", ends="2026-03-05T21:00"
            )
    async with signed_in(site, ana.user_id) as browser:
        for view in ("week", "month"):
            page = (await browser.get(f"/my/calendar?view={view}&on=2026-03-05")).text
            assert '<span class="cal-title" lang="de">Nachbarschaftsversammlung</span>' in page
            assert '<span class="cal-title">Games night</span>' in page


async def test_a_full_month_in_words(site: Site) -> None:
    """The page's text covers overlaps, events past midnight, all-day events, other time zones, and a day when the
    clocks change.
    """
    async with site.db.transaction() as tx:
        ana, _ = await full_month(tx)
    async with signed_in(site, ana.user_id) as browser:
        month = _words((await browser.get("/my/calendar?on=2026-03-03")).text)
        assert (
            "“Lightning talks: small tools we love” and “Choir: open rehearsal” overlap from 19:30 to 21:30." in month
        )
        assert "Saturday 7 March 2026, 4 events" in month
        assert "Sunday 8 March 2026, no events" in month  # the club night ends at 03:30
        assert "+2 more , Saturday 7 March 2026" in month
        assert month.count("Film festival , Thursday 12 March 2026, You’re going") == 1
        assert month.count("Film festival , Monday 16 March 2026, You’re going") == 1
        assert "Stargazing , Thursday 19 March 2026, Cancelled" in month
        week = _words((await browser.get("/my/calendar?view=week&on=2026-03-07")).text)
        assert "until 03:30 Club night , Sunday 8 March" in week
        late = _words((await browser.get("/my/calendar?view=week&on=2026-03-24")).text)
        assert "Clocks go forward on Sun 29 Mar." in late
        assert "Clocks" not in week
        day = _words((await browser.get("/my/calendar?on=2026-03-24")).text)
        assert "18:00–19:00 13:00 New York time" in day
        agenda = _words((await browser.get("/my/calendar?view=agenda&on=2026-03-10")).text)
        assert agenda.count("Film festival") == 1
        assert "Until Mon 16 Mar" in agenda


async def test_a_week_begins_where_people_live_or_as_they_choose(site: Site) -> None:
    async with site.db.transaction() as tx:
        ana, _ = await full_month(tx)
    async with signed_in(site, ana.user_id) as browser:
        assert _week_days((await browser.get("/my/calendar")).text)[0] == "Monday"
        async with site.db.transaction() as tx:
            await tx.execute("update users set time_zone = 'America/New_York' where id = :id", id=ana.user_id)
        assert _week_days((await browser.get("/my/calendar")).text)[0] == "Sunday"
        for chosen, first in (("5", "Saturday"), ("", "Sunday")):
            saved = await browser.post("/settings/calendars/week", data={"week_start": chosen})
            assert saved.status_code == 303
            assert _week_days((await browser.get("/my/calendar")).text)[0] == first
        assert (await browser.post("/settings/calendars/week", data={"week_start": "9"})).status_code == 400


async def test_only_the_owner_can_hide_and_show_a_calendar(site: Site) -> None:
    async with site.db.transaction() as tx:
        ana, _ = await full_month(tx)
        mallory = await person(tx, "Mallory")
    async with signed_in(site, ana.user_id) as browser, signed_in(site, mallory.user_id) as stranger:
        page = (await browser.get("/my/calendar?view=week&on=2026-03-04")).text
        assert "Release" in page
        (work,) = re.findall(
            r"/my/calendar/calendars/[0-9a-f-]{36}(?=(?:(?!</form>).)*Work</button>)", page, re.DOTALL
        )[:1]
        hide = {"shown": "", "view": "week", "on": "2026-03-04"}
        assert (await stranger.post(work, data=hide)).status_code == 404
        answer = await browser.post(work, data=hide)
        assert (answer.status_code, answer.headers["location"]) == (303, "/my/calendar?view=week&on=2026-03-04")
        page = (await browser.get("/my/calendar?view=week&on=2026-03-04")).text
        assert "Release" not in page
        assert "Tom’s birthday" in page
        await browser.post(work, data=hide | {"shown": "yes"})
        assert "Release" in (await browser.get("/my/calendar?view=week&on=2026-03-04")).text


async def test_the_number_of_queries_does_not_depend_on_the_events(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        for number in range(4):
            await event_by(tx, ana, title=f"Tea {number}", starts="2026-03-10T19:00", ends="2026-03-10T21:00")
    statements = []
    async with site.db.reader() as reader:
        fetch = type(reader).fetch

    async def counted(self: object, sql: str, /, **parameters: object) -> object:
        statements.append(sql)
        return await fetch(self, sql, **parameters)

    views = [f"/my/calendar?view={view}&on=2026-03-10" for view in ("month", "week", "agenda")]
    async with signed_in(site, ana.user_id) as browser:
        asked = []
        for _ in range(2):
            # Load values that a process reads once, such as the counts of large events.
            for path in views:
                await browser.get(path)
            monkeypatch.setattr(type(reader), "fetch", counted)
            for path in views:
                statements.clear()
                assert (await browser.get(path)).status_code == 200
                asked.append(sorted(statements))
            monkeypatch.undo()
            async with site.db.transaction() as tx:
                for number in range(40):
                    await event_by(
                        tx, ana, title=f"Run {number}", starts=f"2026-03-{number % 28 + 1:02}T07:00", ends=""
                    )
    assert asked[:3] == asked[3:]


async def test_the_page_of_a_thousand_dates_is_bounded(site: Site) -> None:
    """A day says how many more entries it has, and the agenda lists all of them."""
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        await calendar(tx, ana, "Trains", 2, [(f"Train {n}", "10", "09:00", "10:00", False) for n in range(1_000)])
    async with signed_in(site, ana.user_id) as browser:
        month = (await browser.get("/my/calendar?on=2026-03-10")).text
        assert "+998 more" in month
        assert "980 more on this day" in month
        assert len(month) < 60_000
        week = (await browser.get("/my/calendar?view=week&on=2026-03-10")).text
        assert "+998 more" in week
        assert len(week) < 60_000
        seen: list[str] = []
        path = "/my/calendar?view=agenda&on=2026-03-01"
        while path:
            agenda = (await browser.get(path)).text
            seen += re.findall(r"<strong>(Train \d+)</strong>", agenda)
            more = re.search(r'class="more"><a[^>]* href="([^"]+)"', agenda)
            path = unescape(more[1]) if more else ""
        assert len(seen) == len(set(seen)) == 1_000
        assert (await browser.get("/my/calendar?view=agenda&after=made-up")).status_code == 400


def _words(html: str) -> str:
    """The text of a page, as a screen reader reads it."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html.partition("<main")[2].partition("</main>")[0])).split())


def _week_days(html: str) -> list[str]:
    return re.findall(r'<abbr title="(\w+)"', html)
