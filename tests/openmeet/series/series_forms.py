"""A series that a host creates and edits with the forms of its pages."""

import re

import httpx
import pytest

from groundwork.clock import HandClock
from openmeet.domain.series import queries
from openmeet.domain.series.model import Series
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import Site, inputs_of, sign_up, site_on

SERIES_FORM = {
    "title": "Practice",
    "starts": "2026-03-03T18:00",
    "ends": "2026-03-03T20:00",
    "time_zone": "Europe/Berlin",
    "mode": "in_person",
    "venue_name": "The hall",
    "repeats": "FREQ=WEEKLY;BYDAY=TU",
    "ends_how": "never",
    "submission": "k",
}
FIRST_DATE, SECOND_DATE, THIRD_DATE = (f"2026-03-{day}T18:00:00" for day in ("03", "10", "17"))


@pytest.fixture
async def site(make_database: MakeDatabase, clock: HandClock) -> Site:
    return site_on(await make_database("openmeet"), clock)


@pytest.fixture
async def ana(site: Site):
    async with site.browser() as browser:
        await sign_up(browser, "ana@example.org", "Ana")
        yield browser


async def create_series(browser: httpx.AsyncClient, **changes: str) -> str:
    """The path of a new series."""
    made = await browser.post("/events/new", data=SERIES_FORM | changes)
    assert made.status_code == 303, made.text
    return made.headers["location"]


async def only_series(site: Site) -> Series:
    async with site.db.reader() as reader:
        (row,) = await reader.fetch("select id from event_series where deleted_at is null and split_from is null")
        series = await queries.by_id(reader, row["id"])
    assert series is not None
    return series


async def edit_form_at(browser: httpx.AsyncClient, path: str, date: str) -> dict[str, str]:
    """The edit form as a browser would send it back unchanged."""
    shown = await browser.get(f"{path}/edit", params={"date": date})
    assert shown.status_code == 200, shown.text
    selected = {}
    for name, options in re.findall(r'<select id="(\w+)"(.*?)</select>', shown.text, re.DOTALL):
        if found := re.search(r'<option(?: value="([^"]*)")? selected>([^<]*)<', options):
            selected[name] = found[2] if found[1] is None else found[1]
    described = re.search(r'<textarea id="description"[^>]*>(.*?)</textarea>', shown.text, re.DOTALL)
    return inputs_of(shown.text) | selected | {"description": described[1] if described else ""}
