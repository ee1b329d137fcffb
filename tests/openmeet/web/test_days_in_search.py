"""Words of a search that name a day lead to the search for that day."""

from datetime import date
from html import unescape

import pytest

from groundwork.clock import HandClock
from openmeet.domain.search.day_words import NamedDays, named_days
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import Site, event_by, person, site_on

FRIDAY = date(2026, 7, 3)
SATURDAY, SUNDAY, MONDAY = date(2026, 7, 4), date(2026, 7, 5), date(2026, 7, 6)


@pytest.mark.parametrize(
    ("words", "first", "last", "rest"),
    [
        ("yoga saturday", SATURDAY, SATURDAY, "yoga"),
        ("Yoga am Samstag Abend", SATURDAY, SATURDAY, "Yoga"),
        ("Friday", FRIDAY, FRIDAY, ""),
        ("montag kochen", MONDAY, MONDAY, "kochen"),
        ("konzert heute abend", FRIDAY, FRIDAY, "konzert"),
        ("Übermorgen", SUNDAY, SUNDAY, ""),
        ("jazz this weekend", SATURDAY, SUNDAY, "jazz"),
        ("am Wochenende", SATURDAY, SUNDAY, ""),
        ("7. Dezember", date(2026, 12, 7), date(2026, 12, 7), ""),
        ("choir, March 7", date(2027, 3, 7), date(2027, 3, 7), "choir,"),
        ("29 february", None, None, ""),
        ("May be late", None, None, ""),
        ("99 juni", None, None, ""),
        ("tag der offenen tür", None, None, ""),
        ("", None, None, ""),
    ],
)
def test_words_name_days(words: str, first: date | None, last: date | None, rest: str) -> None:
    found = named_days(words.split(), FRIDAY)
    assert found == (NamedDays(first, last, tuple(rest.split())) if first and last else None)


@pytest.mark.parametrize(("today", "first"), [(SATURDAY, SATURDAY), (SUNDAY, SUNDAY), (MONDAY, date(2026, 7, 11))])
def test_a_weekend_that_has_begun_is_this_one(today: date, first: date) -> None:
    found = named_days(["weekend"], today)
    assert found is not None
    assert found.first == first


@pytest.fixture
async def site(make_sqlite: MakeDatabase, clock: HandClock) -> Site:
    site = site_on(await make_sqlite("openmeet", clock=clock), clock)
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        await event_by(tx, ana, title="Yoga in the yard", starts="2026-03-07T18:00")
        await event_by(tx, ana, title="Yoga for two", starts="2026-03-09T18:00")
    return site


async def test_a_search_with_a_day_offers_that_day(site: Site, clock: HandClock) -> None:
    """A day on which nothing matches is not offered, and neither is one if the search has days already."""
    async with site.browser() as anybody:
        page = unescape((await anybody.get("/", params={"q": "yoga saturday"})).text)
        assert "“yoga”, Sat 7 Mar" in page
        assert 'href="/?q=yoga&from=2026-03-07&to=2026-03-07"' in page
        day = (await anybody.get("/?q=yoga&from=2026-03-07&to=2026-03-07")).text
        assert ("Yoga in the yard" in day, "Yoga for two" in day) == (True, False)
        for words in ({"q": "yoga sunday"}, {"q": "yoga saturday", "from": "2026-03-01"}):
            assert "“yoga”, S" not in unescape((await anybody.get("/", params=words)).text)
