"""The page of an event is an h-event, which feed readers and the IndieWeb read (https://microformats.org/wiki/h-event)."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

import pytest

from groundwork.clock import HandClock
from openmeet.domain.attendance import event_hosting
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import Site, event_by, person, site_on

_VALUES = {"data": "value", "img": "src", "a": "href", "time": "datetime"}


@pytest.fixture
async def site(make_database: MakeDatabase, clock: HandClock) -> Site:
    return site_on(await make_database("openmeet"), clock)


@dataclass
class Properties(HTMLParser):
    """Collects the values of the properties of the first h-event: an attribute, or otherwise the text."""

    found: dict[str, str] = field(default_factory=dict)
    open_names: list[tuple[str, str]] = field(default_factory=list)
    is_inside: bool = False

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        names = (given.get("class") or "").split()
        self.is_inside |= "h-event" in names
        for name in names:
            if self.is_inside and name.startswith(("p-", "dt-", "u-")):
                value = given.get(_VALUES.get(tag, ""))
                self.found[name] = value or ""
                if value is None:
                    self.open_names.append((tag, name))

    def handle_endtag(self, tag: str) -> None:
        if self.open_names and self.open_names[-1][0] == tag:
            self.open_names.pop()

    def handle_data(self, data: str) -> None:
        for _, name in self.open_names:
            self.found[name] += data


async def _properties(site: Site, slug: str) -> dict[str, str]:
    async with site.browser() as anybody:
        page = (await anybody.get(f"/events/{slug}")).text
    parser = Properties()
    parser.feed(page)
    return parser.found


async def test_the_page_of_an_event_is_an_h_event(site: Site) -> None:
    async with site.db.transaction() as tx:
        event = await event_by(
            tx,
            await person(tx, "Ana Lindqvist"),
            title="Tea & cake",
            starts="2026-07-04T19:00",
            ends="2026-07-04T21:00",
            time_zone="Europe/Berlin",
            venue_name="Kiezküche",
            locality="Berlin",
            country="DE",
            description="Bring a cup.",
            categories="food",
        )
    found = await _properties(site, event.slug)
    assert found["p-name"] == "Tea & cake"
    assert found["dt-start"] == "2026-07-04T19:00:00+02:00"
    assert found["dt-end"] == "2026-07-04T21:00:00+02:00"
    assert found["p-location"].startswith("Kiezküche")
    assert found["p-summary"].endswith("Bring a cup.")
    assert found["p-organizer"] == "Ana Lindqvist"
    assert found["p-category"] == "Food and drink"
    assert found["u-url"].endswith(f"/events/{event.slug}")
    assert found["u-featured"].startswith("/covers/")


async def test_days_and_cancelled_events(site: Site) -> None:
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana, title="Camp", starts="2026-07-04T00:00", ends="2026-07-06T00:00", all_day="yes")
        await event_hosting.cancel(tx, ana, event.slug, "Rain.")
    found = await _properties(site, event.slug)
    assert found["p-name"] == "Camp"
    assert (found["dt-start"], found["dt-end"]) == ("2026-07-04", "2026-07-06")
