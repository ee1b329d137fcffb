"""The cost of a hostile calendar file is bounded in steps and bytes: rules are not expanded first and cut afterwards."""

import tracemalloc
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from groundwork.clock import Instant, from_datetime
from groundwork.errors import TooLarge
from openmeet.domain.calendars.fetch import read_file
from openmeet.domain.calendars.model import MAX_DATES
from openmeet.domain.icalendar.components import (
    MAX_COMPONENT_LINES,
    MAX_LINES,
    MAX_WARNINGS,
    IcalendarReason,
    read_components,
)
from openmeet.domain.icalendar.instances import MAX_OF_ONE, MAX_STEPS, Bounds, instances
from openmeet.domain.icalendar.read import MAX_EVENT_WARNINGS, read_calendars
from openmeet.domain.imports.calendar_file import MAX_CHANGES, MAX_RANGES, parse_calendar
from openmeet.domain.imports.event_json_ld import parse_page
from openmeet.recurrence import expansion, rule_dates

NOW = from_datetime(datetime(2026, 11, 22, tzinfo=UTC))
EVERY_HALF_HOUR = "FREQ=DAILY;BYHOUR=" + ",".join(map(str, range(24))) + ";BYMINUTE=0,30"


def calendar_of(*events: str) -> bytes:
    return "\r\n".join(["BEGIN:VCALENDAR", *events, "END:VCALENDAR", ""]).encode()


def event(uid: object, *lines: str, start: str = "20261101T100000Z") -> str:
    return "\r\n".join(["BEGIN:VEVENT", f"UID:{uid}", f"DTSTART:{start}", "SUMMARY:x", *lines, "END:VEVENT"])


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], int]]:
    """The number of steps taken so far, by all expansions together."""
    taken = [0]
    take = rule_dates.Steps.take

    def counting(self: rule_dates.Steps, number: int = 1) -> None:
        taken[0] += number
        take(self, number)

    expansion.clear()
    monkeypatch.setattr(rule_dates.Steps, "take", counting)
    yield lambda: taken[0]
    expansion.clear()


def peak_of(work: Callable[[], object]) -> int:
    """The maximum number of bytes allocated at once."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("rule", "number"),
    [(EVERY_HALF_HOUR, 900), ("FREQ=DAILY", 1_500), ("FREQ=DAILY;COUNT=10000", 1_500)],
    ids=["every half hour", "daily", "counted"],
)
def test_a_file_of_dense_rules_takes_no_more_steps_than_a_file_may(
    rule: str, number: int, steps: Callable[[], int]
) -> None:
    """A file of 160 KB with dense rules once took 25 seconds and 1.6 GB. Now the first dates are kept and a warning
    says that there are more.
    """
    data = calendar_of(*(event(uid, f"RRULE:{rule}") for uid in range(number)))
    assert len(data) < 240_000
    found = read_file(data, NOW, "UTC")
    # One extra step per rule checks whether it has any date at all.
    assert steps() <= MAX_STEPS + 1 + number
    assert len(found.dates) == MAX_DATES


def test_a_file_of_dense_rules_takes_little_memory() -> None:
    """The limit is twice the dates that are kept, plus the text."""
    calendars = read_calendars(calendar_of(*(event(uid, f"RRULE:{EVERY_HALF_HOUR}") for uid in range(300))))
    expansion.clear()
    peak = peak_of(lambda: instances(calendars[0].events, NOW, Instant(NOW + 400 * 86_400_000_000)))
    assert peak < 30_000_000


def test_the_limit_applies_to_the_whole_file(steps: Callable[[], int]) -> None:
    """The limit applies to the whole file, because it can contain thousands of calendars."""
    data = b"".join(calendar_of(event(uid, f"RRULE:{EVERY_HALF_HOUR}")) for uid in range(900))
    assert len(read_file(data, NOW, "UTC").dates) == MAX_DATES
    assert steps() <= MAX_STEPS + 1 + 900


def test_the_earliest_dates_are_kept_whatever_comes_first_in_the_file() -> None:
    """A single event at the end of a file of daily events is kept, although it was written last."""
    many = [event(uid, "RRULE:FREQ=DAILY", start="20270101T100000Z") for uid in range(40)]
    found = read_file(calendar_of(*many, event("early", start="20261125T100000Z")), NOW, "UTC")
    assert found.dates[0].uid == "early"
    assert len(found.dates) == MAX_DATES


def test_one_event_cannot_crowd_out_all_others() -> None:
    """Each rule gives a limited number of dates."""
    calendars = read_calendars(calendar_of(event("a", f"RRULE:{EVERY_HALF_HOUR}"), event("b")))
    bounds = Bounds()
    found = instances(
        calendars[0].events, Instant(NOW - 30 * 86_400_000_000), Instant(NOW + 400 * 86_400_000_000), bounds
    )
    assert len(found) == MAX_OF_ONE + 1
    assert not bounds.is_whole


def test_an_ordinary_file_is_read_completely() -> None:
    """Two hundred weekly events, a year ahead, are all kept without a warning."""
    data = calendar_of(*(event(uid, "RRULE:FREQ=WEEKLY;COUNT=20") for uid in range(200)))
    found = read_file(data, NOW, "UTC")
    assert len(found.dates) == 4_000


def test_changes_to_the_days_of_a_counted_series_are_found_in_few_steps(steps: Callable[[], int]) -> None:
    """In an earlier version, a change identified only by its day expanded a whole year of the rule."""
    changes = [
        "\r\n".join(
            [
                "BEGIN:VEVENT",
                "UID:a",
                f"DTSTART:2027{month:02}{day:02}T110000Z",
                f"RECURRENCE-ID;VALUE=DATE:2027{month:02}{day:02}",
                "END:VEVENT",
            ]
        )
        for month in range(1, 13)
        for day in range(1, 28)
    ]
    parse_calendar(calendar_of(event("a", f"RRULE:{EVERY_HALF_HOUR};COUNT=10000"), *changes), "UTC")
    assert steps() < 60_000


def test_lines_and_warnings_are_bounded() -> None:
    """The number of lines and warnings is limited per file and per component."""
    with pytest.raises(TooLarge, match=IcalendarReason.TOO_MANY_LINES):
        read_components(b"BEGIN:VCALENDAR\n" + b"X\n" * MAX_LINES)
    (calendar,), warnings = read_components(
        b"BEGIN:VCALENDAR\n" + b"X:1\n" * (MAX_COMPONENT_LINES + 10) + b"END:X\n" * 100
    )
    assert len(calendar.lines) == MAX_COMPONENT_LINES
    assert len(warnings) == MAX_WARNINGS


def test_reading_lines_takes_a_few_times_the_size_of_the_file() -> None:
    """In an earlier version, all lines were split before the first one was read, which took many times the size of a
    file with short lines.
    """
    data = b"BEGIN:VCALENDAR\n" + b"abcd\n" * 300_000
    assert peak_of(lambda: read_components(data)) < 4 * len(data)


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r"])
def test_folded_lines_are_joined_whatever_ends_them(end: str) -> None:
    """A fold is a line ending followed by one space or tab. It may be inside a character."""
    data = f"BEGIN:VCALENDAR{end}SUMMARY:one{end} two{end}\tthree{end}X-A:1{end}END:VCALENDAR{end}".encode()
    (calendar,), _ = read_components(data.replace(b"tw", "ü".encode()[:1] + end.encode() + b" " + "ü".encode()[1:]))
    assert calendar.lines == ["SUMMARY:oneüothree", "X-A:1"]


def test_warnings_about_one_event_are_bounded() -> None:
    """In an earlier version, each date of a long invalid list gave a warning."""
    data = calendar_of(event("a", *(f"EXDATE:18000101T1{number % 10}0000Z" for number in range(500))))
    (found,) = read_calendars(data)[0].events
    assert 0 < len(found.warnings) <= MAX_EVENT_WARNINGS


def test_warnings_do_not_quote_whole_lines() -> None:
    """A warning quotes only the beginning of a value (a number can have 20,000 digits), and only once."""
    long = "9" * 20_000
    head = "BEGIN:VEVENT\r\nUID:1\r\nSUMMARY:Choir\r\nDTSTART:20261101T100000Z\r\n"
    for lines in (
        f"RRULE:FREQ=DAILY;INTERVAL={long}",
        f"RRULE:FREQ={long}",
        f"DURATION:P{long}D",
        f"SEQUENCE:{long}",
        f"DTEND:{long}",
    ):
        (calendar,) = read_calendars(calendar_of(f"{head}{lines}\r\nEND:VEVENT"))
        said = [*calendar.warnings, *calendar.left_out, *(one for event in calendar.events for one in event.warnings)]
        assert all(len(one) <= 500 for one in said), [len(one) for one in said]


def test_imported_changes_are_bounded() -> None:
    """Each change becomes a separate value on every page that shows the file, so their number is limited."""

    def change(number: int, parameters: str = "") -> str:
        day = datetime.fromordinal(datetime(2026, 11, 1).toordinal() + number)  # noqa: DTZ001
        return "\r\n".join(
            [
                "BEGIN:VEVENT",
                "UID:a",
                f"DTSTART:{day:%Y%m%d}T110000Z",
                f"RECURRENCE-ID{parameters}:{day:%Y%m%d}T100000Z",
                "END:VEVENT",
            ]
        )

    (single,) = parse_calendar(
        calendar_of(event("a", "RRULE:FREQ=DAILY"), *(change(number) for number in range(MAX_CHANGES + 50))), "UTC"
    ).events
    assert len(single.changes) == MAX_CHANGES
    assert "differ" in single.warnings[-1]
    (ranged,) = parse_calendar(
        calendar_of(
            event("a", "RRULE:FREQ=DAILY"),
            *(change(number, ";RANGE=THISANDFUTURE") for number in range(1, MAX_RANGES + 20)),
        ),
        "UTC",
    ).events
    assert len(ranged.changes) == MAX_RANGES


def test_unterminated_markup_is_read_once() -> None:
    """In an earlier version, every "<" searched the rest of the text for its end: 400,000 of them took minutes."""
    node = (
        '{"@type": "Event", "name": "Choir", "startDate": "2027-03-02T18:00", "description": "' + "< " * 200_000 + '"}'
    )
    page = f"<title>{'a&amp;b<i>' * 20_000}</title><script type='application/ld+json'>{node}</script>"
    found = parse_page(page.encode(), "https://example.org", "UTC")
    assert [one.typed.title for one in found.events] == ["Choir"]
