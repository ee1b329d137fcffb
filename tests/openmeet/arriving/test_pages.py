"""Bringing a calendar in, in a browser."""

from groundwork.clock import HandClock
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import h1_of, sign_up, site_on

TWO = "\r\n".join(
    [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//test//EN",
        *("BEGIN:VEVENT", "UID:one@x", "DTSTAMP:20260101T000000Z", "DTSTART:20260704T180000Z", "SUMMARY:Café talk"),
        "END:VEVENT",
        *("BEGIN:VEVENT", "UID:two@x", "DTSTAMP:20260101T000000Z", "DTSTART:20260705T180000Z", "SUMMARY:Yoga"),
        *("RRULE:FREQ=WEEKLY", "END:VEVENT", "END:VCALENDAR", ""),
    ]
)


async def test_what_was_brought_in_is_named_by_its_title(make_sqlite: MakeDatabase, clock: HandClock) -> None:
    site = site_on(await make_sqlite("openmeet", clock=clock), clock)
    async with site.browser() as browser:
        await sign_up(browser, "ana@example.org", "Ana")
        sent = await browser.post("/import", files={"file": ("mine.ics", TWO.encode(), "text/calendar")})
        address = sent.headers["location"]
        assert h1_of((await browser.get(address)).text) == "What we understood"
        await browser.post(address, data={"event-0": "on", "event-1": "on"})
        page = (await browser.get(address)).text
        assert h1_of(page) == "Brought in"
        for title in ("Café talk", "Yoga"):
            assert f">{title}</a>" in page
