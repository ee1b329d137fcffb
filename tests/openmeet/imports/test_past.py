"""Events and series that are over are not selected at first, on the page and in the API; the clock shows 1 March 2026."""

from datetime import datetime

import pytest

from groundwork.clock import HandClock
from openmeet.domain.imports.calendar_file import parse_calendar
from openmeet.domain.imports.event_json_ld import parse_page
from openmeet.recurrence.wall_time import instant_of, local_of
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import api_session, sign_up, site_on


def calendar_of(*events: str) -> str:
    entries = "".join(f"BEGIN:VEVENT\nUID:{number}@x\n{event}\nEND:VEVENT\n" for number, event in enumerate(events))
    return f"BEGIN:VCALENDAR\nVERSION:2.0\n{entries}END:VCALENDAR\n".replace("\n", "\r\n")


MIXED = calendar_of(
    "SUMMARY:Long ago\nDTSTART:20250704T180000Z",
    "SUMMARY:Last winter\nDTSTART:20251104T180000Z\nRRULE:FREQ=WEEKLY;COUNT=4",
    "SUMMARY:Every week\nDTSTART:20250104T180000Z\nRRULE:FREQ=WEEKLY",
    "SUMMARY:Still on\nDTSTART:20260301T110000Z\nDTEND:20260301T120100Z",
    "SUMMARY:Just over\nDTSTART:20260301T110000Z\nDTEND:20260301T120000Z",
)


@pytest.mark.parametrize(
    ("lines", "over_at"),
    [
        ("DTSTART:20250704T180000Z", "2025-07-04T19:00"),
        ("DTSTART:20250704T180000Z\nDTEND:20250705T010000Z", "2025-07-05T01:00"),
        ("DTSTART;TZID=Asia/Tokyo:20250704T180000", "2025-07-04T10:00"),
        ("DTSTART;VALUE=DATE:20250704\nDTEND;VALUE=DATE:20250706", "2025-07-06T00:00"),
        ("DTSTART:20250704T180000Z\nDURATION:PT2H\nRRULE:FREQ=DAILY;COUNT=3", "2025-07-06T20:00"),
        ("DTSTART:20250704T180000Z\nRRULE:FREQ=DAILY;UNTIL=20250801T180000Z", "2025-08-01T19:00"),
        ("DTSTART:20250704T180000Z\nRDATE:20250804T180000Z", "2025-08-04T19:00"),
        ("DTSTART:20250704T180000Z\nRRULE:FREQ=DAILY", None),
    ],
)
def test_an_event_is_over_after_its_last_date(lines: str, over_at: str | None) -> None:
    (event,) = parse_calendar(calendar_of(f"SUMMARY:Tea\n{lines}").encode(), "UTC").events
    shown = None if event.over_at is None else local_of(event.over_at, "UTC").strftime("%Y-%m-%dT%H:%M")
    assert shown == over_at


@pytest.mark.parametrize(
    ("change", "over_at"),
    [
        ("RECURRENCE-ID:20250705T180000Z\nDTSTART:20260705T180000Z", "2026-07-05T19:00"),
        ("RECURRENCE-ID:20250705T180000Z\nSTATUS:CANCELLED\nDTSTART:20260705T180000Z", "2025-07-06T19:00"),
        ("RECURRENCE-ID;RANGE=THISANDFUTURE:20250705T180000Z\nDTSTART:20260705T180000Z", "2026-07-06T19:00"),
    ],
)
def test_a_date_that_was_moved_counts_too(change: str, over_at: str) -> None:
    series = "SUMMARY:Tea\nDTSTART:20250704T180000Z\nRRULE:FREQ=DAILY;COUNT=3"
    file = calendar_of(series, f"SUMMARY:Tea\n{change}").replace("UID:1@x", "UID:0@x")
    (event,) = parse_calendar(file.encode(), "UTC").events
    assert event.over_at is not None
    assert local_of(event.over_at, "UTC").strftime("%Y-%m-%dT%H:%M") == over_at


def test_a_calendar_that_is_too_long_loses_its_oldest_events_first() -> None:
    past = (f"SUMMARY:Past {day}\nDTSTART:2025{1 + day // 28:02d}{1 + day % 28:02d}T180000Z" for day in range(300))
    ahead = (f"SUMMARY:Ahead {day}\nDTSTART:2027{1 + day // 28:02d}{1 + day % 28:02d}T180000Z" for day in range(300))
    series = (
        "SUMMARY:Every week\nDTSTART:20200104T180000Z\nRRULE:FREQ=WEEKLY",
        "SUMMARY:Old series\nDTSTART:20200104T180000Z\nRRULE:FREQ=WEEKLY;UNTIL=20210104T180000Z",
    )
    arrived_at = instant_of(datetime.fromisoformat("2026-03-01T12:00"), "UTC")
    parsed = parse_calendar(calendar_of(*series, *past, *ahead).encode(), "UTC", arrived_at=arrived_at)
    assert [event.typed.title for event in parsed.events] == [
        "Every week",
        *(f"Past {day}" for day in range(101, 300)),
        *(f"Ahead {day}" for day in range(300)),
    ]
    (warning,) = parsed.warnings
    assert warning.startswith(
        "The file has 602 events. Up to 500 can be imported at once. Past events are left out first."
    )


async def test_a_long_old_calendar_shows_what_is_ahead(make_sqlite: MakeDatabase, clock: HandClock) -> None:
    past = (f"SUMMARY:Past {day}\nDTSTART:2025{1 + day // 28:02d}{1 + day % 28:02d}T180000Z" for day in range(300))
    older = (f"SUMMARY:Older {day}\nDTSTART:2024{1 + day // 28:02d}{1 + day % 28:02d}T180000Z" for day in range(300))
    calendar = calendar_of(*older, *past, "SUMMARY:Ahead\nDTSTART:20260704T180000Z")
    site = site_on(await make_sqlite("openmeet"), clock)
    async with site.browser() as browser:
        ana = await api_session(browser, "ana@example.org", "Ana")
        found = (await browser.post("/api/imports", json={"ics": calendar}, headers=ana)).json()
        outcome = (await browser.post(f"/api/imports/{found['id']}/confirm", headers=ana)).json()["outcome"]
    assert len(outcome["made"]) == 1


def test_the_event_of_a_page_has_an_end() -> None:
    page = (
        '<script type="application/ld+json">{"@type": "Event", "name": "Tea", "startDate": '
        '"2025-07-04T18:00Z"}</script>'
    )
    (event,) = parse_page(page.encode(), "https://x.example/1", "UTC").events
    assert event.over_at is not None
    assert local_of(event.over_at, "UTC").hour == 19


async def test_past_events_are_selected_by_a_link(make_database: MakeDatabase, clock: HandClock) -> None:
    site = site_on(await make_database("openmeet", clock=clock), clock)
    async with site.browser() as browser:
        await sign_up(browser, "ana@example.org", "Ana")
        sent = await browser.post("/import", files={"file": ("mine.ics", MIXED.encode(), "text/calendar")})
        address = sent.headers["location"]
        page = (await browser.get(address)).text
        assert [number for number in range(5) if f'name="event-{number}" checked' in page] == [2, 3]
        assert f'3 past events aren’t selected. <a href="{address}?past=yes">Select them, too</a>' in page
        page = (await browser.get(f"{address}?past=yes")).text
        assert [number for number in range(5) if f'name="event-{number}" checked' in page] == [0, 1, 2, 3, 4]
        assert f'3 past events are selected. <a href="{address}">Deselect them</a>' in page
        await browser.post(address, data={"event-0": "on", "event-2": "on"})
        assert "2 events created" in (await browser.get(address)).text


async def test_the_api_imports_past_events_that_are_named(make_database: MakeDatabase, clock: HandClock) -> None:
    site = site_on(await make_database("openmeet", clock=clock), clock)
    async with site.browser() as browser:
        ana = await api_session(browser, "ana@example.org", "Ana")
        found = (await browser.post("/api/imports", json={"ics": MIXED}, headers=ana)).json()
        assert [one["isOver"] for one in found["events"]] == [True, True, False, False, True]
        outcome = (await browser.post(f"/api/imports/{found['id']}/confirm", headers=ana)).json()["outcome"]
        assert len(outcome["made"]) == 2
        assert outcome["leftOut"] == [
            f"{title}: it’s over. Select it to import it, too." for title in ("Long ago", "Last winter", "Just over")
        ]
        again = (await browser.post("/api/imports", json={"ics": MIXED}, headers=ana)).json()
        path = f"/api/imports/{again['id']}/confirm"
        outcome = (await browser.post(path, json={"events": ["0@x", "1@x"]}, headers=ana)).json()["outcome"]
        assert len(outcome["made"]) == 2
