"""Importing a calendar in a browser."""

import re

from groundwork.clock import HandClock
from openmeet.domain.events.queries import by_slug
from tests.databases import MakeDatabase
from tests.openmeet.imports.sample_files import TWO_EVENTS_CALENDAR
from tests.openmeet.site_under_test import h1_of, sign_up, site_on


async def test_imported_events_are_listed_by_title(make_sqlite: MakeDatabase, clock: HandClock) -> None:
    site = site_on(await make_sqlite("openmeet", clock=clock), clock)
    async with site.browser() as browser:
        await sign_up(browser, "ana@example.org", "Ana")
        sent = await browser.post(
            "/import", files={"file": ("mine.ics", TWO_EVENTS_CALENDAR.encode(), "text/calendar")}
        )
        address = sent.headers["location"]
        found = (await browser.get(address)).text
        assert h1_of(found) == "What we found"
        assert '<p class="way-back"><a href="/my/events">' in found
        await browser.post(address, data={"event-0": "on", "event-1": "on"})
        page = (await browser.get(address)).text
        assert h1_of(page) == "Imported"
        for title in ("Café talk", "Yoga"):
            assert f">{title}</a>" in page
        again = await browser.post(
            "/import",
            files={"file": ("mine.ics", TWO_EVENTS_CALENDAR.replace("Yoga", "Yoga for all").encode(), "text/calendar")},
        )
        await browser.post(again.headers["location"], data={"act": ""})
        page = (await browser.get(again.headers["location"])).text
        assert h1_of(page) == "Nothing imported"
        assert "Brought in" not in page


async def test_the_form_leads_back_to_where_it_was_opened(make_sqlite: MakeDatabase, clock: HandClock) -> None:
    site = site_on(await make_sqlite("openmeet", clock=clock), clock)
    async with site.browser() as browser:
        await sign_up(browser, "ana@example.org", "Ana")
        form = {"title": "Tea", "starts": "2026-07-04T18:00", "time_zone": "Europe/Berlin", "mode": "in_person"}
        made = await browser.post("/events/new", data={**form, "submission": "k"})
        event_path = made.headers["location"].partition("?")[0]
        for query, parent in (("", "/my/events"), (f"?event={event_path.rpartition('/')[2]}", event_path)):
            page = (await browser.get(f"/import{query}")).text
            assert re.search(rf'<p class="way-back[^"]*"><a href="{parent}">', page)


async def test_an_empty_file_is_named_as_such(make_sqlite: MakeDatabase, clock: HandClock) -> None:
    """A form without a file asks for one."""
    site = site_on(await make_sqlite("openmeet", clock=clock), clock)
    async with site.browser() as browser:
        await sign_up(browser, "ana@example.org", "Ana")
        empty = await browser.post("/import", files={"file": ("mine.ics", b"", "text/calendar")})
        missing = await browser.post("/import", files={"file": ("", b"", "application/octet-stream")})
    assert (empty.status_code, missing.status_code) == (400, 400)
    assert "This file is empty. Choose another one." in empty.text
    assert "Choose a file, or enter an address." in missing.text
    assert "This file is empty" not in missing.text


STRANGE = "\r\n".join(
    [
        *("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//test//EN"),
        *("BEGIN:VTIMEZONE", "TZID:Ours", "BEGIN:STANDARD", "DTSTART:19700101T000000", "TZOFFSETFROM:+0200"),
        *("TZOFFSETTO:+0100", "END:STANDARD", "BEGIN:DAYLIGHT", "DTSTART:19700701T000000", "TZOFFSETFROM:+0100"),
        *("TZOFFSETTO:+0200", "END:DAYLIGHT", "END:VTIMEZONE"),
        *("BEGIN:VEVENT", "UID:a@x", "DTSTAMP:20260101T000000Z", "DTSTART;TZID=Nowhere/Land:20260704T180000"),
        *("SUMMARY:Unknown", "END:VEVENT"),
        *("BEGIN:VEVENT", "UID:b@x", "DTSTAMP:20260101T000000Z", "DTSTART;TZID=Ours:20260704T180000"),
        *("DTEND;TZID=Ours:20260704T200000", "SUMMARY:Guessed", "END:VEVENT"),
        *("BEGIN:VEVENT", "UID:c@x", "DTSTAMP:20260101T000000Z", "DTSTART;TZID=Asia/Tokyo:20260704T180000"),
        *("SUMMARY:Known", "END:VEVENT", "END:VCALENDAR", ""),
    ]
)


async def test_an_unknown_zone_is_shown_and_can_be_chosen(make_database: MakeDatabase, clock: HandClock) -> None:
    """Each event shows the unknown zone and the zone used instead. The choice applies to these events only, and no
    others are shifted.
    """
    db = await make_database("openmeet", clock=clock)
    site = site_on(db, clock, time_zone="Europe/Lisbon")
    async with site.browser() as browser:
        await sign_up(browser, "ana@example.org", "Ana")
        sent = await browser.post("/import", files={"file": ("mine.ics", STRANGE.encode(), "text/calendar")})
        address = sent.headers["location"]
        page = (await browser.get(address)).text
        # Times are short, and only other zones than that of the reader are named.
        assert re.findall(r"<p>(Sat [^<]*)(?: <span class=\"hint\">([^<]*)</span>)?</p>", page) == [
            ("Sat 4 Jul 2026, 18:00", ""),
            ("Sat 4 Jul 2026, 18:00", "UTC+1"),
            ("Sat 4 Jul 2026, 18:00", "Tokyo time"),
        ]
        assert "2 events</strong>" not in page
        assert "2 events have no time zone, or one that we don’t know." in page
        assert "We don’t know its time zone “Nowhere/Land”, so we read its times as Europe/Lisbon time." in page
        assert "We don’t know its time zone “Ours”, so we read its times as +01:00 time." in page
        wrong = await browser.post(address, data={"act": "zone", "time_zone": "Nowhere/Land"})
        assert (wrong.status_code, "Enter a time zone like Europe/Berlin." in wrong.text) == (400, True)
        await browser.post(address, data={"act": "zone", "time_zone": "America/Lima"})
        page = (await browser.get(address)).text
        assert page.count("so we read its times as America/Lima time.") == 2
        assert "<option selected>America/Lima<" in page
        await browser.post(address, data={f"event-{number}": "on" for number in range(3)})
    async with db.reader() as reader:
        rows = await reader.fetch("select slug from events order by title")
        made = [await by_slug(reader, row["slug"]) for row in rows]
    assert [(one.title, one.time_zone, one.starts_local) for one in made if one] == [
        ("Guessed", "America/Lima", "2026-07-04T18:00:00"),
        ("Known", "Asia/Tokyo", "2026-07-04T18:00:00"),
        ("Unknown", "America/Lima", "2026-07-04T18:00:00"),
    ]
    assert made[0].ends_at - made[0].starts_at == 2 * 3600 * 1_000_000


async def test_a_list_without_addresses_is_kept_by_name(make_database: MakeDatabase, clock: HandClock) -> None:
    """The preview says that nobody on the list will get e-mail. The list shows their names, and offers no message."""
    site = site_on(await make_database("openmeet", clock=clock), clock)
    async with site.browser() as browser:
        await sign_up(browser, "ana@example.org", "Ana")
        form = {"title": "Tea", "starts": "2026-07-04T18:00", "time_zone": "Europe/Berlin", "mode": "in_person"}
        path = (
            (await browser.post("/events/new", data={**form, "submission": "k"})).headers["location"].partition("?")[0]
        )
        slug = path.rpartition("/")[2]
        sheet = {"file": ("people.csv", b"Name,Table\nAna Silva,1\nBen Okri,2\n", "text/csv")}
        for _ in range(2):
            sent = await browser.post("/import", data={"event": slug}, files=sheet)
            page = (await browser.get(sent.headers["location"])).text
            kept = await browser.post(sent.headers["location"], data={"act": "keep"})
        assert "no column with e-mail" in page.lower()
        assert "2</strong> new" not in page
        first = await browser.get(kept.headers["location"])
    assert first.text.count("<li>Ana Silva</li>") == 1
    assert "Known by name only" in first.text
    assert "Send it to" not in first.text
