"""The top of Discover: one-tap filters, and the tiles of the next weekend, whose events are removed from the list
below.
"""

import re
from dataclasses import replace
from datetime import UTC, datetime
from html import unescape

import pytest

from groundwork.clock import HandClock, from_datetime
from openmeet.web.events.discover import filter_chips, take_weekend
from openmeet.web.events.listing import EventCard, ListedDay
from openmeet.web.site.faces import Avatar
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import event_by, person, site_on
from tests.visible_text import visible_text

# A Thursday.
NOW = from_datetime(datetime(2026, 3, 5, 9, tzinfo=UTC))
CARD = EventCard("", "", "", "", "", "", "", "", "", "", 0, False, (), "", (), None)


def day(key: str, *slugs: str) -> ListedDay:
    return ListedDay(key, key, key, items=[replace(CARD, slug=slug) for slug in slugs])


def listed() -> list[list[ListedDay]]:
    return [
        [day("2026-03-06", "friday"), day("2026-03-07", "a", "b"), day("2026-03-08", "c", "d"), day("2026-03-14", "e")]
    ]


def test_three_events_are_removed_from_the_list():
    parts = listed()
    assert [card.slug for card in take_weekend(parts, NOW, "Europe/Berlin")] == ["a", "b", "c"]
    assert [(one.key, [card.slug for card in one.items]) for one in parts[0]] == [
        ("2026-03-06", ["friday"]),
        ("2026-03-08", ["d"]),
        ("2026-03-14", ["e"]),
    ]


def test_events_with_guests_and_different_pictures_are_preferred():
    faces = (Avatar("B", 0, None),)
    by_slug = {
        "a": replace(CARD, slug="a", thumbnail="runners"),
        "b": replace(CARD, slug="b", thumbnail="books", faces=faces),
        "c": replace(CARD, slug="c", thumbnail="books", faces=faces),
        "d": replace(CARD, slug="d", thumbnail="bikes", faces=faces),
    }
    parts = listed()
    for listed_day in parts[0][1:3]:
        listed_day.items = [by_slug[card.slug] for card in listed_day.items]
    assert [card.slug for card in take_weekend(parts, NOW, "Europe/Berlin")] == ["a", "b", "d"]
    assert [card.slug for card in parts[0][1].items] == ["c"]


@pytest.mark.parametrize("gone", ["cancelled", "absent"])
def test_fewer_events_stay_in_the_list(gone: str):
    parts = listed()
    (saturday, sunday) = parts[0][1:3]
    sunday.items = []
    if gone == "cancelled":
        saturday.items.append(replace(CARD, slug="f", is_cancelled=True))
    assert take_weekend(parts, NOW, "Europe/Berlin") == []
    assert [card.slug for card in saturday.items[:2]] == ["a", "b"]


async def test_the_weekend_is_shown_even_if_the_page_ends_before_it(make_sqlite: MakeDatabase) -> None:
    """The page lists thirty events, which a busy site has on one day."""
    clock = HandClock(NOW)
    db = await make_sqlite("openmeet", clock=clock)
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        for number in range(31):
            await event_by(tx, ana, title=f"Chess {number}", starts="2026-03-06T18:00", ends="")
        for title in ("Choir", "Climbing", "Cooking", "Cycling"):
            await event_by(tx, ana, title=title, starts="2026-03-07T18:00", ends="")
        await event_by(tx, ana, title="Monday talks", starts="2026-03-09T18:00", ends="")
    async with site_on(db, clock).browser() as browser:
        page = (await browser.get("/")).text
    tiles = page.partition('<ul class="tiles">')[2].partition("</ul>")[0]
    assert re.findall(r'<h3><a href="[^"]+">(\w+)', tiles) == ["Choir", "Climbing", "Cooking"]
    assert "Monday talks" not in page


@pytest.mark.parametrize(("number", "shown"), [(30, 30), (31, 31), (64, 64)])
async def test_tiles_are_not_listed_again_on_later_pages(make_sqlite: MakeDatabase, number: int, shown: int) -> None:
    """Each event is shown once, on however many pages. No page follows that would only have tiles."""
    clock = HandClock(NOW)
    db = await make_sqlite("openmeet", clock=clock)
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        for chess in range(number):
            await event_by(tx, ana, title=f"Chess {chess}", starts="2026-03-06T18:00", ends="")
        for title in ("Choir", "Climbing", "Cooking"):
            await event_by(tx, ana, title=title, starts="2026-03-07T18:00", ends="")
    titles, path = [], "/"
    async with site_on(db, clock).browser() as browser:
        while path:
            page = (await browser.get(path)).text
            titles += re.findall(r'<h[2-4]><a href="/events/[^"]+">([^<]+)', page)
            later = re.search(r'<a class="button quiet" href="([^"]+)">Show later events', page)
            path = unescape(later[1]) if later else ""
    assert titles[:3] == ["Choir", "Climbing", "Cooking"]
    assert len(titles) == len(set(titles)) == shown + 3


@pytest.mark.parametrize(("number", "shown"), [(4, ""), (6, "6+ events in the next 7 days")])
async def test_visitors_see_how_many_events_there_are_in_a_week(
    make_sqlite: MakeDatabase, number: int, shown: str
) -> None:
    """Not with few events. The number is a lower bound, because events of other apps are not counted."""
    clock = HandClock(NOW)
    db = await make_sqlite("openmeet", clock=clock)
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        for _ in range(number):
            await event_by(tx, ana, starts="2026-03-09T18:00", ends="")
        await event_by(tx, ana, starts="2026-03-19T18:00", ends="")
    async with site_on(db, clock).browser() as browser:
        page = visible_text((await browser.get("/")).text)
    assert shown in page
    assert ("in the next 7 days" in page) is bool(shown)


async def test_a_site_may_have_no_events_but_the_tiles(make_sqlite: MakeDatabase) -> None:
    """They are also in the collage, and the link to the month is above them instead of above the list."""
    clock = HandClock(NOW)
    db = await make_sqlite("openmeet", clock=clock)
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        for title in ("Chess", "Choir", "Cooking"):
            await event_by(tx, ana, title=title, starts="2026-03-07T18:00", ends="")
    async with site_on(db, clock).browser() as browser:
        page = (await browser.get("/")).text
    assert page.count('<article class="event-tile') == 3
    assert 'class="collage"' in page
    assert page.count('<a href="/?view=month">') == 1


async def test_the_first_picture_is_loaded_at_once(make_sqlite: MakeDatabase) -> None:
    """On phones it is the largest part of the page. The others are below, or are small."""
    clock = HandClock(NOW)
    db = await make_sqlite("openmeet", clock=clock)
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        for title in ("Chess", "Choir", "Climbing", "Cooking"):
            await event_by(tx, ana, title=title, starts="2026-03-07T18:00", ends="")
    async with site_on(db, clock).browser() as browser:
        page = (await browser.get("/")).text
    tiles = [re.search(r"<img[^>]*>", tile) for tile in page.split('<article class="event-tile')[1:]]
    assert [('fetchpriority="high"' in tile[0], 'loading="lazy"' in tile[0]) for tile in tiles if tile] == [
        (True, False),
        (False, True),
        (False, True),
    ]


def test_active_filters_come_first():
    """On a phone only the first filters of the line are visible. A source filter can only be removed, so it is among
    the other filters.
    """
    free = filter_chips({}, NOW, "Europe/Berlin", view={})
    chosen = filter_chips({"category": "games", "source": "atproto"}, NOW, "Europe/Berlin", view={})
    assert [one.words for one in free if one.is_on] == ["Any day"]
    assert [one.words for one in chosen[:3]] == ["Games", "From other apps", "Today"]
    assert [one.is_on for one in chosen] == sorted((one.is_on for one in chosen), reverse=True)
    assert "From other apps" not in {one.words for one in free}
