"""Calendar files of this site, read by our own reader and by another library."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import icalendar
import pytest
import recurring_ical_events
from hypothesis import given, settings
from hypothesis import strategies as st

from groundwork.clock import Instant
from openmeet.domain.events.values import Venue
from openmeet.domain.icalendar.instances import instances
from openmeet.domain.icalendar.read import read_calendars
from openmeet.domain.icalendar.time_zones import vtimezone
from openmeet.domain.icalendar.write import CANCEL, PUBLISH, WrittenEvent, geo_of, write_calendar
from openmeet.domain.series.calendar_uids import OriginalStart, original_start
from openmeet.recurrence import expansion
from openmeet.recurrence.describe import describe
from openmeet.recurrence.pattern import Pattern, pattern
from openmeet.recurrence.rule import parse_rule
from openmeet.recurrence.wall_time import instant_of
from tests.hypothesis_profiles import examples

NOW = Instant(1_795_000_000_000_000)
ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kolkata",
    "Africa/Casablanca",
    "Australia/Lord_Howe",
    "UTC",
    "+08:00",
)
RULES = (
    "FREQ=WEEKLY;BYDAY=TU",
    "FREQ=MONTHLY;BYDAY=-1FR;COUNT=20",
    "FREQ=DAILY;INTERVAL=3;UNTIL=20271224",
    "FREQ=WEEKLY;UNTIL=20270305T170000Z",
    "FREQ=YEARLY;BYMONTH=3,10;BYDAY=-1SU",
    None,
)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def written(made: Pattern, **more: Any) -> WrittenEvent:
    return WrittenEvent("a@openmeet.test", made, timedelta(hours=2), "Practice", NOW, **more)


@st.composite
def events(draw: st.DrawFn) -> WrittenEvent:
    is_all_day = draw(st.booleans())
    start = draw(st.datetimes(at("2026-01-01"), at("2026-12-31"))).replace(second=0, microsecond=0)
    dates = st.lists(st.integers(1, 400).map(lambda days: start + timedelta(days=days)), max_size=3)
    rule = draw(st.sampled_from(RULES))
    made = pattern(
        start,
        draw(st.sampled_from(ZONES)),
        None if rule is None else parse_rule(rule),
        left_out=draw(dates),
        added=draw(dates),
        is_all_day=is_all_day,
    )
    text = st.text(st.characters(exclude_categories=("Cs", "Cc")) | st.sampled_from("\n,;\\:\"^'"), max_size=80)
    return WrittenEvent(
        uid="u@openmeet.test",
        pattern=made,
        length=timedelta(days=draw(st.integers(1, 3))) if is_all_day else timedelta(minutes=draw(st.integers(0, 600))),
        summary=" ".join(draw(text).split()),
        stamped_at=NOW,
        description=draw(text).strip(),
        location=draw(text).strip(),
        is_cancelled=draw(st.booleans()),
        sequence=draw(st.integers(0, 99)),
        coordinates=draw(st.none() | st.just((53.801277, -1.548567))),
    )


@settings(max_examples=examples(150), deadline=None)
@given(event=events())
def test_what_is_written_is_read_back(event: WrittenEvent) -> None:
    data = write_calendar([event], name="Ünïcödé, \\ and; \n more")
    (calendar,) = read_calendars(data)
    assert calendar.warnings == []
    (read,) = calendar.events
    assert read.warnings == ()
    assert (read.uid, read.summary, read.description, read.location) == (
        event.uid,
        event.summary,
        event.description,
        event.location,
    )
    assert (read.is_cancelled, read.sequence, read.coordinates) == (
        event.is_cancelled,
        event.sequence,
        event.coordinates,
    )
    assert read.length == event.length
    window = instant_of(at("2026-01-01"), "UTC"), instant_of(at("2029-01-01"), "UTC")
    if not event.pattern.is_all_day:  # all-day events have no zone in a file
        assert expansion.between(read.pattern, *window) == expansion.between(event.pattern, *window)
    else:
        ours, theirs = expansion.between(event.pattern, *window), expansion.between(read.pattern, *window)
        inside = {one.original for one in ours} ^ {one.original for one in theirs}
        assert all(original.year in {2026, 2029} for original in inside), (
            "the same days, except at the limits of the window"
        )


@settings(max_examples=60, deadline=None)
@given(event=events())
def test_another_library_reads_the_same_dates(event: WrittenEvent) -> None:
    calendar = icalendar.Calendar.from_ical(write_calendar([event], name="x"))
    found = recurring_ical_events.of(calendar).between(
        datetime(2026, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC)
    )
    theirs = {one.start for one in found}
    window = instant_of(at("2025-12-31"), "UTC"), instant_of(at("2028-01-02"), "UTC")
    ours = expansion.between(event.pattern, *window)
    if event.pattern.is_all_day:
        days = {one.original.date() for one in ours}
        assert {day for day in theirs if in_the_middle(day)} == {day for day in days if in_the_middle(day)}
        return
    moments = {datetime.fromtimestamp(one.at / 1e6, UTC) for one in ours}
    gaps = {datetime.fromtimestamp(one.at / 1e6, UTC) for one in ours if is_in_gap(event.pattern, one)}
    seen = {one.astimezone(UTC) for one in theirs}
    assert {m for m in seen if in_the_middle(m.date())} - gaps == {m for m in moments if in_the_middle(m.date())} - gaps


def is_in_gap(made: Pattern, one: expansion.Occurrence) -> bool:
    zone = made.zone_name or "UTC"
    if zone.startswith("+"):
        return False
    return datetime.fromtimestamp(one.at / 1e6, ZoneInfo(zone)).replace(tzinfo=None) != one.original


def in_the_middle(day: date) -> bool:
    return date(2026, 1, 3) < day < date(2027, 12, 20)


def test_lines_are_folded_and_ended() -> None:
    data = write_calendar([written(pattern(at("2026-07-04T18:00"), "Europe/Berlin"), description="ü" * 500)], name="x")
    assert data.endswith(b"END:VCALENDAR\r\n")
    assert all(len(line) <= 75 for line in data.split(b"\r\n"))
    assert b"\n" not in data.replace(b"\r\n", b"")


def test_no_text_can_inject_a_line() -> None:
    made = pattern(at("2026-07-04T18:00"), "UTC")
    event = written(made, location="here\r\nATTENDEE:mailto:x@example.org\nEND:VEVENT")
    lines = write_calendar([event], name="x\r\nMETHOD:REQUEST").split(b"\r\n")
    assert not any(line.startswith((b"ATTENDEE", b"METHOD:REQUEST")) for line in lines)
    assert lines.count(b"END:VEVENT") == 1


def test_a_change_of_one_date() -> None:
    weekly = pattern(at("2026-07-07T18:00"), "Europe/Berlin", parse_rule("FREQ=WEEKLY;COUNT=3"))
    moved = pattern(at("2026-07-15T20:00"), "Europe/Berlin")
    original = OriginalStart(at("2026-07-14T18:00"), "Europe/Berlin")
    data = write_calendar([written(weekly), written(moved, changes=original, sequence=1)], name="x")
    assert b"RECURRENCE-ID;TZID=Europe/Berlin:20260714T180000" in data
    (calendar,) = read_calendars(data)
    window = instant_of(at("2026-07-01"), "UTC"), instant_of(at("2026-08-01"), "UTC")
    days = [datetime.fromtimestamp(one.starts_at / 1e6, UTC).day for one in instances(calendar.events, *window)]
    assert days == [7, 15, 21]


@pytest.mark.parametrize(
    ("series", "original", "line"),
    [
        (
            pattern(at("2026-07-07T18:00"), "Europe/Berlin", parse_rule("FREQ=WEEKLY;COUNT=3")),
            OriginalStart(at("2026-07-14T18:00"), "Europe/Berlin"),
            "RECURRENCE-ID;TZID=Europe/Berlin:20260714T180000",
        ),
        (
            pattern(at("2026-07-07T00:00"), "Europe/Berlin", parse_rule("FREQ=WEEKLY;COUNT=3"), is_all_day=True),
            OriginalStart(at("2026-07-14T00:00"), "Europe/Berlin", is_all_day=True),
            "RECURRENCE-ID;VALUE=DATE:20260714",
        ),
        (
            pattern(at("2026-07-07T18:00"), "+02:00", parse_rule("FREQ=WEEKLY;COUNT=3")),
            original_start("2026-07-14T18:00:00", "+02:00", is_all_day=False),
            "RECURRENCE-ID:20260714T160000Z",
        ),
    ],
    ids=["zone", "days", "offset"],
)
@pytest.mark.parametrize(
    "moved",
    [
        pattern(at("2026-07-15T20:00"), "America/Lima"),
        pattern(at("2026-07-15T20:00"), "UTC"),
        pattern(at("2026-07-15T00:00"), "America/Lima", is_all_day=True),
    ],
    ids=["zone", "utc", "days"],
)
def test_a_changed_date_is_identified_in_the_zone_of_its_series(
    series: Pattern, original: OriginalStart, line: str, moved: Pattern
) -> None:
    """Whichever zone the date itself has. Our reader and another program recognise it in the file of the series."""
    data = write_calendar([written(series), written(moved, changes=original, sequence=1)], name="x")
    assert f"\r\n{line}\r\n" in data.decode()
    (calendar,) = read_calendars(data)
    window = instant_of(at("2026-07-01"), "UTC"), instant_of(at("2026-08-01"), "UTC")
    found = [one.event.sequence for one in instances(calendar.events, *window)]
    assert found == [0, 1, 0]
    others = recurring_ical_events.of(icalendar.Calendar.from_ical(data)).between((2026, 7, 1), (2026, 8, 1))
    assert sorted(one["DTSTART"].dt.isoformat()[8:10] for one in others) == ["07", "15", "21"]


def test_zones_of_original_starts_are_in_the_file() -> None:
    moved = written(pattern(at("2026-07-15T20:00"), "America/Lima"))
    data = write_calendar([replace(moved, changes=OriginalStart(at("2026-07-14T18:00"), "Europe/Berlin"))], name="x")
    assert {b"TZID:America/Lima", b"TZID:Europe/Berlin"} <= set(data.split(b"\r\n"))


@pytest.mark.parametrize("method", [PUBLISH, CANCEL])
def test_the_file_names_its_method(method: str) -> None:
    assert f"METHOD:{method}\r\n".encode() in write_calendar([], name="x", method=method)


@pytest.mark.parametrize(
    "zone", ["Europe/Berlin", "America/New_York", "Africa/Casablanca", "Australia/Lord_Howe", "Asia/Kolkata"]
)
def test_a_zone_is_right_for_years(zone: str) -> None:
    """The zone definition, as ``icalendar`` reads it on its own, agrees with the zone database."""
    text = "\r\n".join(vtimezone(zone, 2025, 2027)) + "\r\n"
    timezone = icalendar.Timezone.from_ical(text)
    defined = timezone.to_tz(lookup_tzid=False)  # type: ignore[attr-defined]  # every one here has it
    for day in range(0, 365 * 3, 5):
        moment = at("2025-01-02T12:00") + timedelta(days=day)
        assert moment.replace(tzinfo=defined).utcoffset() == moment.replace(tzinfo=ZoneInfo(zone)).utcoffset(), moment


def test_onsets_are_written_in_the_previous_offset() -> None:
    lines = vtimezone("Europe/Berlin", 2026, 2026)
    summer = lines[lines.index("BEGIN:DAYLIGHT") :]
    assert summer[1:5] == [
        "DTSTART:20260329T020000",
        "RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU",
        "TZOFFSETFROM:+0100",
        "TZOFFSETTO:+0200",
    ]


@pytest.mark.parametrize(
    ("latitude", "longitude", "geo"),
    [
        ("52.5173912345", "-0.5", (52.517391, -0.5)),
        ("0.00001", "-0.00009", (0.0, 0.0)),
        ("", "", None),
    ],
)
def test_a_point_is_written_with_six_decimals_and_never_an_exponent(latitude, longitude, geo):
    assert geo_of(Venue(latitude=latitude, longitude=longitude)) == geo


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "America/New_York"])
@pytest.mark.parametrize("until", ["99991231", "99991231T235959", "99991231T235959Z"])
def test_series_that_never_ends_is_described_and_written(until: str, zone: str) -> None:
    """Calendars write the last moment of the year 9999 for "never". In some zones, UTC is then in the year 10000."""
    made = pattern(at("2026-03-10T18:00"), zone, parse_rule(f"FREQ=DAILY;UNTIL={until}"))
    assert describe(made).endswith("December 9999")
    (read,) = read_calendars(write_calendar([written(made)], name="Practice"))[0].events
    assert expansion.following(read.pattern, NOW, 3) == expansion.following(made, NOW, 3)
