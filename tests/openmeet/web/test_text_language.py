"""Titles and descriptions in another language than the page are marked, so that screen readers pronounce them right."""

from datetime import timedelta

import pytest

from groundwork.clock import HandClock
from openmeet.domain.attendance import event_hosting
from openmeet.domain.events.content import Content
from openmeet.domain.series import actions as series
from openmeet.domain.series.model import Timing
from openmeet.recurrence.pattern import pattern
from openmeet.recurrence.rule import parse_rule
from tests.databases import MakeDatabase
from tests.openmeet.series.practice import FIRST, NOW, ZONE
from tests.openmeet.site_under_test import Site, event_by, person, site_on


@pytest.fixture
async def site(make_sqlite: MakeDatabase, clock: HandClock) -> Site:
    clock.turn(NOW - clock.now())
    return site_on(await make_sqlite("openmeet"), clock)


async def read(site: Site, path: str, language: str) -> str:
    async with site.browser() as nobody:
        return str((await nobody.get(path, headers={"accept-language": language})).text)


@pytest.mark.parametrize(
    ("spoken", "reader", "is_marked"), [("de", "en", True), ("de", "de", False), ("en", "de", True)]
)
async def test_event_is_marked_with_its_only_language(site: Site, spoken: str, reader: str, *, is_marked: bool) -> None:
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(
            tx, ana, title="Tango", description="Abends", languages=spoken, starts="2026-11-28T18:00", ends=""
        )
    page = await read(site, f"/events/{event.slug}", reader)
    assert (f'<h1 class="event-title p-name" lang="{spoken}">Tango' in page) == is_marked
    assert (f'aria-labelledby="about" lang="{spoken}"><h2 id="about" lang="{reader}">' in page) == is_marked
    assert (f'<span lang="{spoken}">Tango</span>' in await read(site, "/?q=tango", reader)) == is_marked


@pytest.mark.parametrize("spoken", ["", "de, fr"])
async def test_no_or_several_languages_say_nothing_about_the_text(site: Site, spoken: str) -> None:
    async with site.db.transaction() as tx:
        event = await event_by(tx, await person(tx, "Ana"), title="Tango", languages=spoken)
    page = await read(site, f"/events/{event.slug}", "en")
    assert '<h1 class="event-title p-name">Tango' in page


async def test_only_the_title_of_a_cancelled_event_is_marked(site: Site) -> None:
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana, title="Tango", languages="de")
        await event_hosting.cancel(tx, ana, event.slug, "")
    page = await read(site, f"/events/{event.slug}", "en")
    assert (
        '<h1 class="event-title"><span class="hidden">Cancelled: </span><s class="p-name" lang="de">Tango</s>' in page
    )


async def test_series_is_marked(site: Site) -> None:
    weekly = Timing(pattern(FIRST, ZONE, parse_rule("FREQ=WEEKLY")), timedelta(hours=1))
    async with site.db.transaction() as tx:
        made = await series.create(
            tx, await person(tx, "Ana"), Content("Chor", "Wir singen.", languages=("de",)), weekly
        )
    page = await read(site, f"/series/{made.slug}", "en")
    assert '<h1 class="event-title" lang="de">Chor' in page
    assert 'aria-label="About this series" lang="de">' in page
