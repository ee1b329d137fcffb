"""The Discover page: filters that can be removed, and the suggestions for an empty search."""

import re
from html import unescape
from urllib.parse import parse_qs, urlsplit

from groundwork.clock import HandClock
from tests.databases import MakeDatabase
from tests.openmeet.places.located_events import BERLIN, POTSDAM, place_event_at
from tests.openmeet.site_under_test import event_by, person, site_on


async def test_the_next_step_of_an_empty_search_finds_something(make_sqlite: MakeDatabase, clock: HandClock) -> None:
    """The page suggests the smallest change that helps: a wider circle, then any day, then every place or no filters."""
    site = site_on(await make_sqlite("openmeet"), clock)
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        await place_event_at(tx, await event_by(tx, ana, title="Here", starts="2026-07-04T18:00", ends=""), BERLIN)
        await place_event_at(tx, await event_by(tx, ana, title="There", starts="2026-08-04T18:00", ends=""), POTSDAM)
    berlin = "52.52,13.405"
    august = {"from": "2026-08-01", "to": "2026-08-31"}
    async with site.browser() as anybody:
        for asked, action in (
            ({"near": berlin, "within": "10", **august}, "Search within 40 km"),
            ({"near": "40,13.405", "within": "10"}, "Search everywhere"),
            ({"near": berlin, "from": "2026-09-01"}, "See all upcoming dates"),
            ({"near": berlin, "q": "Here", "mode": "online"}, "Search without filters"),
        ):
            page = unescape((await anybody.get("/", params=asked)).text)
            empty = page.partition('class="empty"')[2].partition("</a>")[0]
            assert empty.endswith(action), (asked, empty[-300:])
            path = re.findall(r'<a class="button" href="([^"]*)"', empty)[0]
            assert '<h3><a href="/events/' in (await anybody.get(path)).text


async def test_each_filter_can_be_removed_with_one_tap(make_sqlite: MakeDatabase, clock: HandClock) -> None:
    site = site_on(await make_sqlite("openmeet"), clock)
    filters = {
        "from": "2026-07-01",
        "category": "music",
        "tag": "jazz",
        "language": "de",
        "access": "step_free",
        "mode": "online",
        "source": "openmeet",
        "near": "52.52,13.405",
    }
    async with site.browser() as anybody:
        page = (await anybody.get("/", params=filters)).text
        row = page.split('aria-label="Filters"')[1].split("</nav>")[0]
        removals = [unescape(path) for path in re.findall(r'<a href="([^"]*)" aria-current="true"', row)]
        wrong = await anybody.get("/", params={**filters, "from": "soon"})
        unknown = await anybody.get("/", params={"source": "elsewhere"})
    left = [set(parse_qs(urlsplit(path).query)) for path in removals]
    assert sorted(map(sorted, left)) == sorted(sorted(set(filters) - {name}) for name in filters)
    assert wrong.status_code == 400
    assert (unknown.status_code, "Choose one of" in unknown.text) == (400, False)
    assert "Choose what was created here, what comes from other apps, or everything." in unknown.text
