"""Calendar files in the dialects of common programs, and hostile files."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundwork.clock import Instant
from groundwork.errors import InvalidInput, TooLarge
from openmeet.domain.icalendar.components import MAX_BYTES, MAX_COMPONENTS
from openmeet.domain.icalendar.instances import Instance, instances, masters
from openmeet.domain.icalendar.model import ReadCalendar, ReadEvent
from openmeet.domain.icalendar.read import read_calendars
from openmeet.domain.imports.calendar_file import parse_calendar
from openmeet.recurrence.pattern import parse_date
from openmeet.recurrence.wall_time import instant_of, local_of
from tests.external_dependencies import fixture_path, needs
from tests.hypothesis_profiles import examples

FOLDER = fixture_path("data/ics")
EXPECTED: dict[str, Any] = (
    json.loads((FOLDER / "expected.json").read_text())["files"] if (FOLDER / "expected.json").is_file() else {}
)
WINDOW = instant_of(parse_date("2026-01-01", None), "UTC"), instant_of(parse_date("2027-01-01", None), "UTC")


def read(name: str) -> ReadCalendar:
    (calendar,) = read_calendars((FOLDER / name).read_bytes())
    return calendar


def at(text: str) -> Instant:
    return instant_of(parse_date(text, "UTC"), "UTC")


def written(one: Instance) -> dict[str, Any]:
    def time(instant: Instant) -> str:
        local = local_of(instant, one.zone_name)
        if one.event.pattern.is_all_day:
            return local.date().isoformat()
        text = local.isoformat()
        return text.replace("+00:00", "Z") if one.zone_name == "UTC" else text

    told = {"start": time(one.starts_at), "end": time(one.ends_at), "summary": one.event.summary}
    told["uid"] = one.event.uid if one.event.has_own_uid else None
    if one.event.pattern.is_all_day:
        told["all_day"] = True
    if one.event.is_cancelled:
        told["status"] = "CANCELLED"
    if one.original is not None:
        told["recurrence_id"] = local_of(one.original, one.zone_name).isoformat()
    return told


def wanted(occurrence: dict[str, Any]) -> dict[str, Any]:
    """The expected occurrence, with floating time placed in the calendar's zone."""
    told = {name: value for name, value in occurrence.items() if name not in {"floating", "placed"}}
    if occurrence.get("floating"):
        told["start"] = occurrence["placed"]
        told["end"] = told["end"] + occurrence["placed"][-6:]
    return told


@needs("fixtures")
@pytest.mark.parametrize("name", EXPECTED)
def test_dialect(name: str) -> None:
    calendar, expected = read(name), EXPECTED[name]
    said = expected["calendar"]
    assert calendar.name == said["name"]
    assert calendar.zone_name == said["timezone"]
    assert calendar.method == said.get("method", calendar.method)
    assert calendar.description == said.get("description", calendar.description)
    assert calendar.color == said.get("color", calendar.color)
    assert len(calendar.events) == expected["vevents"]
    series = [event for event in masters(calendar.events) if event.pattern.rule or event.pattern.added]
    assert len(series) == expected["series"]
    found = instances(calendar.events, *map(at, expected["window"]))
    assert [written(one) for one in found] == [wanted(one) for one in expected["occurrences"]]
    by_uid = {event.uid: event for event in masters(calendar.events)}
    for uid, fields in expected.get("fields", {}).items():
        event = by_uid[uid]
        assert {
            name: getattr(event, name) for name in fields.keys() & {"location", "description"}
        }.items() <= fields.items()
        if "latitude" in fields:
            assert event.coordinates == (fields["latitude"], fields["longitude"])


@needs("fixtures")
@pytest.mark.parametrize("name", EXPECTED)
def test_line_ends_and_folding_change_nothing(name: str) -> None:
    data = (FOLDER / name).read_bytes()
    unix = data.replace(b"\r\n", b"\n")
    refolded = b"\xef\xbb\xbf" + b"\r\n".join(
        b"\r\n ".join(line[at : at + 60] for at in range(0, max(1, len(line)), 60))
        for line in unix.replace(b"\n ", b"").split(b"\n")
    )
    plain = read_calendars(data)[0].events
    assert read_calendars(unix)[0].events == plain
    assert read_calendars(refolded)[0].events == plain, "folded in the middle of characters, too"


def calendar_of(*lines: str, around: str = "") -> ReadCalendar:
    text = "\r\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", *filter(None, [around]), *lines, "END:VCALENDAR", ""])
    (calendar,) = read_calendars(text.encode())
    return calendar


def event_of(*lines: str, around: str = "") -> ReadEvent:
    calendar = calendar_of("BEGIN:VEVENT", *lines, "END:VEVENT", around=around)
    assert len(calendar.events) == 1, calendar.warnings
    return calendar.events[0]


START = "DTSTART:20260704T180000Z"


def test_a_bad_event_does_not_affect_the_others() -> None:
    calendar = calendar_of(
        "BEGIN:VEVENT", "UID:a", "SUMMARY:No start", "END:VEVENT",
        "BEGIN:VEVENT", "UID:b", "DTSTART:nonsense", "END:VEVENT",
        "BEGIN:VEVENT", "UID:c", START, "SEQUENCE:x", "DTSTAMP:never", "END:VEVENT",
        "BEGIN:VTODO", "UID:d", "END:VTODO",
    )  # fmt: skip
    assert [event.uid for event in calendar.events] == ["c"]
    assert calendar.left_out == [
        "“No start” was left out. It doesn’t say when it starts.",
        "An event without a title was left out. We can’t read when it starts.",
    ]
    assert len(calendar.events[0].warnings) == 2
    assert [name for _, name in calendar.others] == ["VTODO"]


def test_an_event_with_a_bad_rule_is_read_once_and_says_so() -> None:
    event = event_of("SUMMARY:Choir", START, "RRULE:FREQ=SOMETIMES")
    assert event.pattern.rule is None
    assert event.warnings == ("We can’t read how it repeats, so only its first date is here.",)


@pytest.mark.parametrize(
    "rule",
    ["FREQ=SECONDLY", "FREQ=DAILY;INTERVAL=0", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "FREQ=WEEKLY;COUNT=99999999"],
)
def test_a_hostile_rule_leaves_a_single_date(rule: str) -> None:
    event = event_of("UID:a", START, f"RRULE:{rule}")
    assert event.pattern.rule is None
    assert len(instances([event], *WINDOW)) == 1
    (warning,) = event.warnings
    assert warning.startswith("We can’t read how it repeats: ")
    assert "_" not in warning, "a code of the parser"


def test_line_breaks_cannot_be_put_into_a_title() -> None:
    event = event_of("UID:a", START, "SUMMARY:Party\\nATTENDEE:mailto:x@example.org\\n", "DESCRIPTION:one\\ntwo\x07")
    assert event.summary == "Party ATTENDEE:mailto:x@example.org"
    assert event.description == "one\ntwo"


def test_html_alternatives_are_ignored() -> None:
    event = event_of("UID:a", START, "SUMMARY:x", "X-ALT-DESC;FMTTYPE=text/html:<script>alert(1)</script>")
    assert "alert" not in repr(event)


def test_no_uid_gives_the_same_one_every_time() -> None:
    first = event_of(START, "SUMMARY:x", "DTSTAMP:20260101T000000Z")
    second = event_of("DTSTAMP:20260202T000000Z", "SUMMARY:x", START)
    other = event_of(START, "SUMMARY:y")
    assert first.uid == second.uid != other.uid
    assert not first.has_own_uid


def test_excluded_dates_can_be_in_utc_by_day_or_in_another_zone() -> None:
    event = event_of(
        "UID:a",
        "DTSTART;TZID=Europe/Berlin:20260106T180000",
        "RRULE:FREQ=WEEKLY;COUNT=5",
        "EXDATE:20260113T170000Z",
        "EXDATE;VALUE=DATE:20260120",
        "EXDATE;TZID=Europe/London:20260127T170000",
    )
    assert [local_of(one.starts_at, "UTC").day for one in instances([event], *WINDOW)] == [6, 3]


def test_an_end_before_the_start_is_ignored() -> None:
    event = event_of("UID:a", START, "DTEND:20260704T170000Z")
    assert event.length is None
    assert event.warnings


def test_changes_without_their_series_are_single_events() -> None:
    event = event_of("UID:a", START, "RECURRENCE-ID:20260703T180000Z")
    (one,) = instances([event], *WINDOW)
    assert one.starts_at == at("2026-07-04T18:00:00Z")


def test_a_change_identified_in_utc_finds_its_date() -> None:
    calendar = calendar_of(
        "BEGIN:VEVENT", "UID:a", "DTSTART;TZID=Europe/Berlin:20260707T180000", "RRULE:FREQ=WEEKLY;COUNT=2", "END:VEVENT",
        "BEGIN:VEVENT", "UID:a", "RECURRENCE-ID:20260714T160000Z", "DTSTART:20260715T160000Z", "END:VEVENT",
    )  # fmt: skip
    assert [local_of(one.starts_at, "UTC").day for one in instances(calendar.events, *WINDOW)] == [7, 15]


def test_a_zone_with_offsets_only() -> None:
    event = event_of(
        "UID:a",
        "DTSTART;TZID=Somewhere:20260704T180000",
        around="BEGIN:VTIMEZONE\r\nTZID:Somewhere\r\nBEGIN:STANDARD\r\nTZOFFSETTO:+0530\r\nEND:STANDARD\r\nEND:VTIMEZONE",
    )
    assert event.pattern.zone_name == "+05:30"


@pytest.mark.parametrize(
    ("tzid", "zone"),
    [
        ("Europe/Berlin", "Europe/Berlin"),
        ("W. Europe Standard Time", "Europe/Berlin"),
        ("/mozilla.org/20070129_1/Europe/Berlin", "Europe/Berlin"),
        ("/freeassociation.sourceforge.net/America/Argentina/Ushuaia", "America/Argentina/Ushuaia"),
    ],
)
def test_names_of_zones(tzid: str, zone: str) -> None:
    assert event_of("UID:a", f"DTSTART;TZID={tzid}:20260704T180000").pattern.zone_name == zone


@pytest.mark.parametrize("data", [b"", b"<html></html>", b"BEGIN:VEVENT\r\nEND:VEVENT", b"\x00" * 1000], ids=range(4))
def test_other_files_are_refused(data: bytes) -> None:
    with pytest.raises(InvalidInput):
        read_calendars(data)


def test_files_beyond_the_limits_are_refused() -> None:
    with pytest.raises(TooLarge):
        read_calendars(b"x" * (MAX_BYTES + 1))
    with pytest.raises(TooLarge):
        calendar_of(*["BEGIN:VEVENT\r\nEND:VEVENT"] * (MAX_COMPONENTS + 1))
    with pytest.raises(InvalidInput):
        calendar_of(*["BEGIN:VEVENT"] * 10)


def test_a_file_that_breaks_off_and_lines_that_do_not_end() -> None:
    calendar = read_calendars(b"BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:a\nDTSTART:20260704T180000Z\nX:" + b"y" * 300_000)[0]
    assert [event.uid for event in calendar.events] == ["a"]
    assert len(calendar.warnings) == 2


def test_latin_characters_are_read() -> None:
    (calendar,) = read_calendars(
        b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART:20260704T180000Z\r\nSUMMARY:Caf\xe9\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
    assert calendar.events[0].summary == "Café"
    assert calendar.warnings


FRAGMENTS = (
    b"BEGIN:VEVENT BEGIN:VCALENDAR END:VEVENT END:VCALENDAR BEGIN:VTIMEZONE END:VTIMEZONE UID:a DTSTART: "
    b"DTSTART;TZID=X:20260704T180000 "
    b"DTSTART;VALUE=DATE:20260704 RRULE:FREQ=DAILY RRULE:FREQ=DAILY;UNTIL=1 EXDATE:, RDATE;VALUE=PERIOD:/ "
    b"RECURRENCE-ID:x DURATION:-P1D "
    b'DURATION:P99999999W GEO:1e999;0 GEO:; SEQUENCE:99999999999999999999 CATEGORIES:,, SUMMARY;X=":a '
    b"DTEND:00010101T000000Z TZOFFSETTO:+9999"
).split(b" ")


@given(
    pieces=st.lists(st.sampled_from(FRAGMENTS) | st.binary(max_size=30), max_size=30),
    end=st.sampled_from([b"\r\n", b"\n", b"\r"]),
)
@settings(max_examples=examples(300), deadline=None)
def test_anything_is_read_or_refused(pieces: list[bytes], end: bytes) -> None:
    data = end.join([b"BEGIN:VCALENDAR", b"BEGIN:VEVENT", START.encode(), *pieces, b"END:VEVENT", b"END:VCALENDAR"])
    try:
        calendars = read_calendars(data)
    except (InvalidInput, TooLarge):
        return
    for calendar in calendars:
        instances(calendar.events, *WINDOW)


def test_a_change_identified_by_day_applies_to_that_date() -> None:
    """RECURRENCE-ID;VALUE=DATE in a series with times is not allowed, but programs write it."""
    lines = (
        "BEGIN:VCALENDAR",
        "BEGIN:VEVENT",
        "UID:a",
        "DTSTART;TZID=Europe/Berlin:20270302T180000",
        "DURATION:PT2H",
        "RRULE:FREQ=WEEKLY;COUNT=4",
        "RDATE;TZID=Europe/Berlin:20270311T093000",
        "SUMMARY:Practice",
        "END:VEVENT",
        "BEGIN:VEVENT",
        "UID:a",
        "RECURRENCE-ID;VALUE=DATE:20270309",
        "DTSTART;TZID=Europe/Berlin:20270309T193000",
        "SUMMARY:Concert",
        "END:VEVENT",
        "BEGIN:VEVENT",
        "UID:a",
        "RECURRENCE-ID;VALUE=DATE:20270311",
        "DTSTART;VALUE=DATE:20270311",
        "STATUS:CANCELLED",
        "SUMMARY:Practice",
        "END:VEVENT",
        "END:VCALENDAR",
        "",
    )
    data = "\r\n".join(lines).encode()
    (found,) = parse_calendar(data, "UTC").events
    assert [(one.original, one.typed.title, one.is_cancelled) for one in found.changes] == [
        ("2027-03-09T18:00:00", "Concert", False),
        ("2027-03-11T09:30:00", "Practice", True),
    ]
    (calendar,) = read_calendars(data)
    dates = instances(calendar.events, at("2027-03-01"), at("2027-05-01"))
    assert [(one.event.summary, one.event.is_cancelled) for one in dates] == [
        ("Practice", False),
        ("Concert", False),
        ("Practice", True),
        ("Practice", False),
        ("Practice", False),
    ]
