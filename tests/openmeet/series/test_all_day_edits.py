"""A series becomes all-day, or gets times of day again, when its host says so on the form."""

import httpx
import pytest

from tests.openmeet.series.series_forms import (
    FIRST_DATE,
    SECOND_DATE,
    ana,
    create_series,
    edit_form_at,
    only_series,
    site,
)
from tests.openmeet.site_under_test import Site

__all__ = ["ana", "site"]

DAYS = {"all_day": "yes", "starts": "2026-03-03", "ends": "2026-03-04"}
TIMES = {"all_day": "", "starts": "2026-03-10T18:00", "ends": "2026-03-10T20:00"}
OWN_START = {"starts": "2026-03-10T19:00", "ends": "2026-03-10T22:00"}


async def dates(browser: httpx.AsyncClient, path: str) -> list[tuple[str, bool, str | None]]:
    """Start, whether it is a whole day, and last day of the next dates."""
    found = (await browser.get(f"/api{path}/dates", params={"limit": "3"})).json()["dates"]
    events = [(await browser.get(f"/api/events/{one['slug']}")).json() for one in found]
    return [(one["startsLocal"], one["isAllDay"], one["endsOn"]) for one in events]


async def save(browser: httpx.AsyncClient, path: str, date: str, changes: dict[str, str], scope: str) -> str:
    done = await browser.post(f"{path}/edit", data=await edit_form_at(browser, path, date) | changes | {"scope": scope})
    assert done.status_code == 303, done.text
    return done.headers["location"]


@pytest.mark.parametrize("scope", ["all", "following"])
async def test_all_dates_become_whole_days_and_times_again(ana: httpx.AsyncClient, site: Site, scope: str) -> None:
    path = await create_series(ana)
    await save(ana, path, FIRST_DATE, DAYS, "all")
    timing = (await only_series(site)).timing
    assert timing.length is not None
    assert (timing.pattern.is_all_day, timing.length.days) == (True, 2)
    assert (await dates(ana, path))[0] == ("2026-03-03T00:00:00", True, "2026-03-04")
    again = await save(ana, path, "2026-03-10T00:00:00", TIMES, scope)
    assert ("2026-03-10T18:00:00", False, None) in await dates(ana, again)


async def test_a_date_with_its_own_time_keeps_it(ana: httpx.AsyncClient) -> None:
    path = await create_series(ana)
    await save(ana, path, SECOND_DATE, OWN_START, "this")
    await save(ana, path, FIRST_DATE, DAYS, "all")
    assert await dates(ana, path) == [
        ("2026-03-03T00:00:00", True, "2026-03-04"),
        ("2026-03-10T19:00:00", False, None),
        ("2026-03-17T00:00:00", True, "2026-03-18"),
    ]
