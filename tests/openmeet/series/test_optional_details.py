"""Optional details of events in series: repeated, overridden by single dates, hidden in private events."""

import httpx
import pytest

from groundwork.clock import HandClock
from tests.databases import MakeDatabase
from tests.openmeet.series.api_client import PRACTICE, create_series, listed_dates, post_to_series
from tests.openmeet.site_under_test import Site, api_session, site_on

SAID = {
    "tags": ["chess"],
    "categories": ["games"],
    "languages": ["de"],
    "access": ["step_free"],
    "price": "5 €",
    "ticketUrl": "https://tickets.example",
    "placeAudience": "attendees",
    "doorNote": "Ring thrice",
    "venue": {"name": "Flat of Ana", "street": "Geheimgasse 7", "locality": "Wien", "country": "AT"}
    | {"latitude": "48.217391", "longitude": "16.372746"},
}
SECRETS = ("Geheimgasse", "Flat of Ana", "Ring thrice", "48.217391", "16.372746")


@pytest.fixture
async def site(make_sqlite: MakeDatabase, clock: HandClock) -> Site:
    return site_on(await make_sqlite("openmeet"), clock)


@pytest.fixture
async def client(site: Site):
    async with site.browser() as browser:
        yield browser


@pytest.fixture
async def ana(client: httpx.AsyncClient) -> dict[str, str]:
    return await api_session(client, "ana@example.org", "Ana")


async def event_of(client: httpx.AsyncClient, date: dict, who: dict[str, str]) -> dict:
    return (await client.get(f"/api/events/{date['slug']}", headers=who)).json()


async def test_each_date_has_the_details_and_may_differ(client, ana):
    """A date keeps its own tags when the series gets another price."""
    series = await create_series(client, ana, **SAID)
    first, second = (await listed_dates(client, series, ana, limit="2"))[:2]
    said = await event_of(client, first, ana)
    assert {name: said[name] for name in ("tags", "categories", "price")} == {
        "tags": ["chess"],
        "categories": ["games"],
        "price": "5 €",
    }
    one = {"scope": "this", "originalDate": first["originalDate"], "tags": ["go"]}
    assert (await post_to_series(client, ana, series, "edit", one)).status_code == 200
    every = {"scope": "all", "price": "Free"}
    assert (await post_to_series(client, ana, series, "edit", every)).status_code == 200
    after = [await event_of(client, date, ana) for date in (first, second)]
    assert [(event["tags"], event["price"]) for event in after] == [(["go"], "Free"), (["chess"], "Free")]


async def test_fields_that_differ_are_named_as_in_the_api(client, ana):
    series = await create_series(client, ana, **SAID)
    (first,) = await listed_dates(client, series, ana, limit="1")
    one = {"scope": "this", "originalDate": first["originalDate"], "doorNote": "Ring once", "doorAudience": "everyone"}
    assert (await post_to_series(client, ana, series, "edit", one)).status_code == 200
    assert (await event_of(client, first, ana))["differsIn"] == ["doorAudience", "doorNote"]
    (listed,) = await listed_dates(client, series, ana, limit="1")
    assert listed["differsIn"] == ["doorAudience", "doorNote"]
    every = {"scope": "all", "doorNote": "Ring", "price": "Free"}
    changes = (await post_to_series(client, ana, series, "plan", every)).json()["changes"]
    assert [(one["fields"], one["keepsOwn"]) for one in changes[:2]] == [
        (["tickets"], ["doorAudience", "doorNote"]),
        (["doorNote", "tickets"], []),
    ]


async def test_a_date_with_its_own_place_keeps_its_coordinates(client, ana):
    """The series moves to another place, but the date with its own place does not. Edits of other fields keep the
    date's coordinates.
    """
    series = await create_series(client, ana, **SAID)
    first, second = (await listed_dates(client, series, ana, limit="2"))[:2]
    lake = {"name": "Lake", "latitude": "48.3", "longitude": "16.4"}
    one = {"scope": "this", "originalDate": first["originalDate"], "venue": lake}
    assert (await post_to_series(client, ana, series, "edit", one)).status_code == 200
    wrong = {"scope": "all", "venue": {"latitude": "91", "longitude": "16"}}
    refused = await post_to_series(client, ana, series, "edit", wrong)
    assert (refused.status_code, "venue.latitude" in refused.text) == (400, True)
    hall = {"name": "Hall", "latitude": "48.1", "longitude": "16.1"}
    assert (await post_to_series(client, ana, series, "edit", {"scope": "all", "venue": hall})).status_code == 200
    assert (await post_to_series(client, ana, series, "edit", {"scope": "all", "price": "Free"})).status_code == 200
    assert [(await event_of(client, date, ana))["venue"] for date in (first, second)] == [lake, hall]


async def test_strangers_see_only_the_town(client, ana):
    """The street is not in the series' JSON, page or calendar file. The host can read all of it."""
    series = await create_series(client, ana, **SAID)
    path = f"/series/{series['slug']}"
    assert series["venue"]["street"] == "Geheimgasse 7"
    for address in (f"/api{path}", path, f"{path}.ics", f"/api{path}/dates"):
        answer = await client.get(address)
        text = answer.text.replace("\r\n ", "")
        assert answer.status_code == 200, address
        assert [secret for secret in SECRETS if secret in text] == [], address
    assert "Wien" in (await client.get(f"{path}.ics")).text


async def test_all_day_dates_stay_all_day_across_a_clock_change(client, ana):
    """The last Sunday of March has 23 hours in Berlin. It is still a whole day, and does not count as a changed date."""
    whole = {"startsLocal": "2026-03-22", "endsLocal": "2026-03-22", "isAllDay": True}
    series = await create_series(client, ana, **PRACTICE | whole | {"recurrence": "FREQ=WEEKLY;BYDAY=SU"})
    found = await listed_dates(client, series, ana, limit="3")
    events = [await event_of(client, date, ana) for date in found]
    assert [(event["startsOn"], event["endsOn"]) for event in events[:2]] == [
        ("2026-03-22", "2026-03-22"),
        ("2026-03-29", "2026-03-29"),
    ]
    assert [date["differsIn"] for date in found[:2]] == [[], []]
    file = (await client.get(f"/series/{series['slug']}.ics")).text
    assert "DTSTART;VALUE=DATE:20260322" in file
    assert "DTEND;VALUE=DATE:20260323" in file


async def test_the_calendar_of_a_series_has_public_coordinates(client, ana):
    series = await create_series(client, ana, **SAID | {"placeAudience": "everyone"})
    assert "\r\nGEO:48.217391;16.372746\r\n" in (await client.get(f"/series/{series['slug']}.ics")).text
