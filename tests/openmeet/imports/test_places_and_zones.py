"""A place in one line gets its parts, and single events in UTC are shown in the local time zone."""

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


def test_recurring_event_stays_in_utc():
    """In another zone its later dates would move when the clocks change."""
    found = _parsed("DTSTART:20260701T160000Z\nRRULE:FREQ=WEEKLY\n", "X-WR-TIMEZONE:Europe/Berlin\n").events[0]
    assert (found.typed.starts, found.typed.time_zone) == ("2026-07-01T16:00", "UTC")
