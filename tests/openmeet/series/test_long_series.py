"""A series with as many dates as one can have: its pages show a part of them and lead to the others."""

import re
from datetime import datetime, timedelta

from groundwork.clock import HandClock
from openmeet.domain.events.content import Content
from openmeet.domain.series import actions
from openmeet.domain.series.model import Timing
from openmeet.recurrence.pattern import MAX_DATES, pattern
from openmeet.recurrence.rule import parse_rule
from openmeet.web.series.pages import SHOWN
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import person, signed_in, site_on

_MAX_BYTES = 100_000
_START = datetime.fromisoformat("2026-03-03T18:00")


async def test_pages_of_a_series_with_a_thousand_dates_are_bounded(
    make_database: MakeDatabase, clock: HandClock
) -> None:
    """A thousand dates of the rule, a thousand further ones, and a thousand that are skipped."""
    site = site_on(await make_database("openmeet"), clock)
    extra = [_START + timedelta(days=day, hours=2) for day in range(MAX_DATES)]
    skipped = [_START + timedelta(days=2 * day) for day in range(MAX_DATES)]
    rule = parse_rule(f"FREQ=DAILY;COUNT={2 * MAX_DATES}")
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        when = pattern(_START, "Europe/Berlin", rule, added=extra, left_out=skipped)
        series = await actions.create(tx, ana, Content("Practice"), Timing(when, timedelta(hours=1)))
    path = f"/series/{series.slug}"
    below = ("", "/edit", "/manage", "/cancel", "/delete", "/share", ".ics", ".atom", ".json")
    sizes = {}
    async with signed_in(site, ana.user_id) as browser:
        for page in (*(f"{path}{one}" for one in below), "/series", "/home", "/my/calendar"):
            answer = await browser.get(page)
            assert answer.status_code == 200, page
            sizes[page] = len(answer.content)
        first = (await browser.get(path)).text
        (following,) = set(re.findall(rf'href="({path}\?from=[^"#]+)#dates"', first))
        second = (await browser.get(following)).text
    assert {page: size for page, size in sizes.items() if size > _MAX_BYTES} == {}
    shown = [re.findall(r'class="date-link[^"]*" href="([^"?]+)', text) for text in (first, second)]
    assert all(0 < len(paths) <= SHOWN for paths in shown)
    assert not set(shown[0]) & set(shown[1])
