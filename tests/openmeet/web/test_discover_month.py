"""Discover as a month: what a day counts is what its list below shows, and the search stays in every link."""

import re
from html import unescape
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from groundwork.clock import HandClock
from openmeet.domain.events import actions
from openmeet.web.events import discover_month
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import Site, event_by, person, site_on

JULY = {"view": "month", "month": "2026-07"}


@pytest.fixture
async def site(make_sqlite: MakeDatabase, clock: HandClock) -> Site:
    return site_on(await make_sqlite("openmeet"), clock)


def cell(page: str, words: str) -> str:
    """The cell of the table whose day is read as these words."""
    (found,) = [one for one in re.findall(r"<td.*?</td>", page, re.DOTALL) if f">{words}" in one]
    return unescape(found)


async def listed(browser: httpx.AsyncClient, path: str) -> int:
    return (await browser.get(path)).text.count("<article ")


async def test_each_day_counts_what_its_list_shows(site: Site) -> None:
    """Four events have two bars and a link to the others; private and deleted events count nowhere."""
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        for number in range(4):
            await event_by(tx, ana, title=f"Tea {number}", starts=f"2026-07-04T1{number}:00", ends="")
        await event_by(tx, ana, title="Secret", starts="2026-07-04T18:00", ends="", visibility="private")
        gone = await event_by(tx, ana, title="Gone", starts="2026-07-05T18:00", ends="")
        await actions.delete(tx, ana, gone.slug)
    async with site.browser() as anybody:
        page = (await anybody.get("/", params=JULY)).text
        day = cell(page, "Saturday 4 July 2026, 4 events")
        (path,) = set(re.findall(r'href="(/\?[^"]*)"', day))
        assert await listed(anybody, path) == 4
        assert cell((await anybody.get(path)).text, "Saturday 4 July 2026, 4 events, chosen")
        # The first day with events is chosen, or today in the current month.
        assert page.count("<article ") == 4
    assert [name for name in ("Tea 0", "Tea 1", "Tea 2", "Secret") if name in day] == ["Tea 0", "Tea 1"]
    assert "+2 more" in day
    assert day.count("<i class=") == 3
    assert "<b>4</b>" in day
    assert cell(page, "Sunday 5 July 2026, no events")
    assert ">4 events</p>" in page


async def test_the_search_stays_in_all_links(site: Site) -> None:
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        await event_by(tx, ana, title="Tea", starts="2026-07-04T18:00", ends="", categories="food")
        await event_by(tx, ana, title="Chess", starts="2026-07-04T18:00", ends="", categories="games")
    async with site.browser() as anybody:
        page = (await anybody.get("/", params={**JULY, "category": "food", "q": "tea"})).text
        steps = [unescape(path) for path in re.findall(r'href="([^"]*)" rel="nofollow (?:prev|next)"', page)]
        assert [parse_qs(urlsplit(path).query) for path in steps] == [
            {"q": ["tea"], "category": ["food"], "view": ["month"], "month": [month]}
            for month in ("2026-06", "2026-08")
        ]
        day = cell(page, "Saturday 4 July 2026, 1 event")
        assert "Chess" not in day
        (path,) = re.findall(r'class="cal-day" href="([^"]*)"', day)
        of_day = (await anybody.get(path)).text
        other_month = cell(page, "Saturday 1 August 2026")
    assert 'name="month" value="2026-07"' in page
    assert 'name="on" value="2026-07-04"' in of_day
    assert "Chess" not in of_day
    asked = {"q": ["tea"], "category": ["food"], "view": ["month"]}
    assert parse_qs(urlsplit(path).query) == {**asked, "month": ["2026-07"], "on": ["2026-07-04"]}
    assert parse_qs(urlsplit(re.findall(r'href="([^"]*)"', other_month)[0]).query) == {
        **asked,
        "month": ["2026-08"],
        "on": ["2026-08-01"],
    }


async def test_a_long_list_of_a_day_leads_to_the_search_for_the_day(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(discover_month, "MAX_ON_A_DAY", 2)
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        for hour in (10, 11, 12):
            await event_by(tx, ana, title="Tea", starts=f"2026-07-04T{hour}:00", ends="")
    async with site.browser() as anybody:
        page = (await anybody.get("/", params={**JULY, "on": "2026-07-04"})).text
        nothing = (await anybody.get("/", params={**JULY, "on": "2026-07-05"})).text
        invalid = (await anybody.get("/", params={**JULY, "on": "soon"})).text
        (path,) = re.findall(r'<a href="([^"]*)">1 more on this day</a>', page)
        assert await listed(anybody, unescape(path)) == 3
    assert (page.count("<article "), nothing.count("<article "), invalid.count("<article ")) == (2, 0, 2)
    assert "Nothing on this day." in nothing


async def test_a_search_for_days_is_a_list(site: Site) -> None:
    """Also if the days were typed into the form of the month."""
    async with site.db.transaction() as tx:
        await event_by(tx, await person(tx, "Ana"), title="Tea", starts="2026-07-04T18:00", ends="")
    async with site.browser() as anybody:
        page = (await anybody.get("/", params={**JULY, "from": "2026-07-04"})).text
        month = (await anybody.get("/", params=JULY)).text
    assert "<article " in page
    assert 'class="cal"' not in page
    chips = month.split('aria-label="Filters"')[1].split("</nav>")[0]
    weekend = unescape(re.findall(r'href="([^"]*)"[^>]*>This weekend', chips)[0])
    assert "view=" not in weekend
    assert "view=month" in unescape(re.findall(r'href="([^"]*)"[^>]*>Food and drink', chips)[0])


async def test_words_are_corrected_as_in_the_list(site: Site) -> None:
    async with site.db.transaction() as tx:
        await event_by(tx, await person(tx, "Ana"), title="Choir rehearsal", starts="2026-07-04T18:00", ends="")
    async with site.browser() as anybody:
        page = (await anybody.get("/", params={**JULY, "q": "rehersal"})).text
        day = cell(page, "Saturday 4 July 2026, 1 event")
        (path,) = re.findall(r'class="cal-day" href="([^"]*)"', day)
        assert await listed(anybody, path) == 1
    assert "These match “rehearsal”" in page


async def test_an_empty_month_says_so(site: Site) -> None:
    async with site.browser() as anybody:
        nothing = unescape((await anybody.get("/", params={"view": "month", "month": "2031-02"})).text)
        no_match = unescape((await anybody.get("/", params={**JULY, "q": "tea"})).text)
        current = (await anybody.get("/", params={"view": "month", "month": "soon"})).text
    assert "Nothing is on in February 2031." in nothing
    assert "Nothing matches in July 2026." in no_match
    assert '<a href="/?q=tea">See all upcoming dates</a>' in no_match
    assert re.search(r'<h2 id="span">\w+ <span class="cal-year">2026', current)


async def test_a_crowded_month_is_cut_and_says_so(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discover_month, "MAX_IN_A_MONTH", 2)
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        for day in (4, 5, 6):
            await event_by(tx, ana, title="Tea", starts=f"2026-07-0{day}T18:00", ends="")
    async with site.browser() as anybody:
        page = (await anybody.get("/", params=JULY)).text
    assert "This month has more events than fit here" in page
    assert ">2+ events</p>" in page
    assert cell(page, "Monday 6 July 2026, no events")
