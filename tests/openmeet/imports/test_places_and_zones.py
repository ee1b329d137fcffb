"""A place in one line gets its parts, and single events in UTC are shown in the local time zone."""

from time import process_time

import pytest

from openmeet.domain.events.rules import Submission
from openmeet.domain.imports.calendar_file import parse_calendar
from openmeet.domain.imports.model import ParsedImport


def _parsed(event: str, calendar: str = "", zone: str = "Europe/Vienna") -> ParsedImport:
    lines = f"BEGIN:VCALENDAR\nVERSION:2.0\n{calendar}BEGIN:VEVENT\nUID:1\nSUMMARY:Choir\n{event}END:VEVENT\nEND:VCALENDAR\n"
    return parse_calendar(lines.replace("\n", "\r\n").encode(), zone)


def _typed(event: str, calendar: str = "", zone: str = "Europe/Vienna") -> Submission:
    return _parsed(event, calendar, zone).events[0].typed


@pytest.mark.parametrize(
    ("location", "parts"),
    [
        # Google
        (
            r"Library\, Blücherplatz 1\, 10961 Berlin\, Germany",
            ("Library", "Blücherplatz 1", "10961", "Berlin", "Germany"),
        ),
        # Apple
        (r"Volkspark\nAm Friedrichshain\n10249 Berlin", ("Volkspark", "Am Friedrichshain", "10249", "Berlin", "")),
        # Meetup
        (r"c-base (Rungestraße 20\, Berlin\, Germany)", ("c-base", "Rungestraße 20", "", "Berlin", "Germany")),
        ("Town library (first floor)", ("Town library (first floor)", "", "", "", "")),
        ("Town library", ("Town library", "", "", "", "")),
        (r"Town library (https://meet.google.com/abc-defg-hij)", ("Town library", "", "", "", "")),
        ("x" * 250, ("x" * 200, "x" * 50, "", "", "")),
    ],
)
def test_place_gets_its_parts(location: str, parts: tuple[str, ...]):
    typed = _typed(f"DTSTART:20260701T160000Z\nLOCATION:{location}\n")
    assert (typed.venue_name, typed.street, typed.postal_code, typed.locality, typed.country) == parts


def test_single_event_in_utc_is_shown_in_the_zone_of_its_calendar():
    """Google writes single events in UTC, and names the zone of the calendar."""
    typed = _typed("DTSTART:20260701T160000Z\nDTEND:20260701T220000Z\n", "X-WR-TIMEZONE:Europe/Berlin\n", "Asia/Tokyo")
    assert (typed.starts, typed.ends, typed.time_zone) == ("2026-07-01T18:00", "2026-07-02T00:00", "Europe/Berlin")


def test_without_a_zone_of_the_calendar_it_is_that_of_the_person():
    typed = _typed("DTSTART:20261210T160000Z\n", zone="Asia/Tokyo")
    assert (typed.starts, typed.time_zone) == ("2026-12-11T01:00", "Asia/Tokyo")


@pytest.mark.parametrize(("starts", "ends"), [("0130", "0230"), ("0030", "0130")])
def test_event_in_the_repeated_hour_stays_in_utc(starts: str, ends: str):
    """In Berlin it would be 2:30 twice that night, and the later one would be read as the earlier one."""
    typed = _typed(f"DTSTART:20261025T{starts}00Z\nDTEND:20261025T{ends}00Z\n", zone="Europe/Berlin")
    assert (typed.starts[-5:].replace(":", ""), typed.ends[-5:].replace(":", "")) == (starts, ends)
    assert typed.time_zone == "UTC"


def test_place_of_commas_is_read_once():
    """Each comma was tried as the end of the name of a street: 20,000 of them took a second for each event."""
    location = r"Hall (" + r"x\," * 10_000
    events = "".join(
        f"BEGIN:VEVENT\nUID:{number}\nDTSTART:20260701T160000Z\nLOCATION:{location}\nEND:VEVENT\n"
        for number in range(100)
    )
    file = f"BEGIN:VCALENDAR\nVERSION:2.0\n{events}END:VCALENDAR\n".replace("\n", "\r\n")
    before = process_time()
    assert len(parse_calendar(file.encode(), "UTC").events) == 100
    assert process_time() - before < 30


def test_recurring_event_stays_in_utc():
    """In another zone its later dates would move when the clocks change."""
    found = _parsed("DTSTART:20260701T160000Z\nRRULE:FREQ=WEEKLY\n", "X-WR-TIMEZONE:Europe/Berlin\n").events[0]
    assert (found.typed.starts, found.typed.time_zone) == ("2026-07-01T16:00", "UTC")


def test_changed_date_in_utc_is_shown_in_the_zone_of_its_series():
    """Exchange and others write the changed dates of a series in UTC. A date in another zone of its own keeps it."""
    series = "DTSTART;TZID=Europe/Berlin:20261103T180000\nDURATION:PT2H\nRRULE:FREQ=WEEKLY\nEND:VEVENT\n"
    changes = (
        ("20261110T170000Z", ":20261110T180000Z"),
        ("20261117T170000Z", ";TZID=Europe/Lisbon:20261117T180000"),
        ("20261124T170000Z", ";VALUE=DATE:20261124"),
    )
    overrides = "END:VEVENT\n".join(
        f"BEGIN:VEVENT\nUID:1\nSUMMARY:Choir\nRECURRENCE-ID:{original}\nDTSTART{starts}\nDURATION:P1D\n"
        for original, starts in changes
    )
    found = _parsed(series + overrides).events[0].changes
    assert [(one.original, one.typed.starts, one.typed.time_zone) for one in found] == [
        ("2026-11-10T18:00:00", "2026-11-10T19:00", "Europe/Berlin"),
        ("2026-11-17T18:00:00", "2026-11-17T18:00", "Europe/Lisbon"),
        ("2026-11-24T18:00:00", "2026-11-24T00:00", "Europe/Berlin"),
    ]
