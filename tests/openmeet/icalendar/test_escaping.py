"""Text in a calendar file of this site is read back unchanged, by our reader and by another library."""

import icalendar
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from groundwork.clock import Instant
from openmeet.domain.events.values import Venue
from openmeet.domain.icalendar.components import escaped, unescaped
from openmeet.domain.icalendar.read import read_calendars
from openmeet.domain.icalendar.write import WrittenEvent, write_calendar
from openmeet.recurrence.pattern import parse_date, pattern

NOW = Instant(1_795_000_000_000_000)
PATTERN = pattern(parse_date("2026-07-04T18:00", "UTC"), "UTC")

# In the first text, a library took a backslash and a letter for a line break, and lost both of them.
HARD = (
    "\\N", "\\n", "C:\\New folder\\names", "\\\\N", "\\,", "\\;", "\\", "\\\\", ",", ";", ":", '"quoted"', "^n^^^'",
    "a, b; c\\d", "%2C%5C", "x\\N, y\\n; z\\\\",
)  # fmt: skip


def event(text: str) -> WrittenEvent:
    return WrittenEvent(
        uid=text,
        pattern=PATTERN,
        length=None,
        summary=text,
        stamped_at=NOW,
        description=text,
        location=text,
        venue=Venue(name=text, street=text, locality=text, region=text, postal_code=text),
        is_cancelled=True,
        comment=text,
        categories=(text, "and " + text),
    )


@pytest.mark.parametrize("text", HARD)
def test_every_text_property_is_read_back(text: str) -> None:
    file = write_calendar([event(text)], name=text)
    (calendar,) = read_calendars(file)
    assert calendar.warnings == []
    assert calendar.name == text
    (read,) = calendar.events
    assert read.warnings == ()
    assert {read.uid, read.summary, read.description, read.location, read.comment} == {text}
    assert read.categories == (text, "and " + text)
    assert read.venue == Venue(name=text, street=text, locality=text, region=text, postal_code=text)


@pytest.mark.parametrize("text", HARD)
def test_another_library_reads_the_same(text: str) -> None:
    (read,) = icalendar.Calendar.from_ical(write_calendar([event(text)], name=text)).walk("VEVENT")
    for name in ("UID", "SUMMARY", "DESCRIPTION", "LOCATION", "COMMENT"):
        assert str(read[name]) == text, name
    assert [str(one) for one in read["CATEGORIES"].cats] == [text, "and " + text]
    (place,) = read.subcomponents
    # The library does not know that NAME is text (RFC 7986, section 5.1) and returns the raw value.
    assert unescaped(str(place["NAME"])) == text


@given(text=st.text(st.sampled_from('\\nN,;:"^ a\n')))
@example(text="x\\N")
@example(text="\\\\N\\n\n\\")
def test_any_text_is_one_line_and_is_read_back(text: str) -> None:
    value = escaped(text)
    assert "\n" not in value
    assert unescaped(value) == text


def test_a_line_of_a_file_has_no_control_characters() -> None:
    assert escaped("a\x00b\x0bc\x1fd\x7fe\tf") == "abcde\tf"
    assert escaped("one\r\ntwo\rthree\nfour") == "one\\ntwo\\nthree\\nfour"


def test_backslashes_that_escape_nothing_stay() -> None:
    """Programs that do not escape text write paths and patterns as they are."""
    assert unescaped("C:\\temp \\d \\") == "C:\\temp \\d \\"


def test_escaped_and_quoted_zone_names_match() -> None:
    r"""Exchange escapes the commas of a TZID in its definition and quotes the TZID in its references. RFC 6868 uses
    carets there.
    """
    lines = (
        "BEGIN:VCALENDAR", "VERSION:2.0",
        "BEGIN:VTIMEZONE", 'TZID:Berlin\\, Bern "West" ^ one',
        "BEGIN:STANDARD", "DTSTART:16010101T000000", "TZOFFSETFROM:+0300", "TZOFFSETTO:+0300", "END:STANDARD",
        "END:VTIMEZONE",
        "BEGIN:VEVENT", "UID:a", "DTSTART;TZID=\"Berlin, Bern ^'West^' ^^ one\":20260704T180000", "END:VEVENT",
        "END:VCALENDAR", "",
    )  # fmt: skip
    (calendar,) = read_calendars("\r\n".join(lines).encode())
    (read,) = calendar.events
    assert read.pattern.zone_name == "+03:00"
    assert not read.unknown_zone


def test_a_colon_in_a_parameter_is_part_of_it() -> None:
    lines = (
        "BEGIN:VCALENDAR", "VERSION:2.0", 'X-WR-CALNAME;X-SOURCE="https://a.test/;x":Choir\\, and more', "END:VCALENDAR",
    )  # fmt: skip
    (calendar,) = read_calendars("\r\n".join(lines).encode())
    assert calendar.name == "Choir, and more"
