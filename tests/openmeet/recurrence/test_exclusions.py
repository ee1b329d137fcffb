"""Excluded dates stay excluded when the rule changes."""

from datetime import datetime

import pytest

from openmeet.recurrence import expansion
from openmeet.recurrence.pattern import Pattern
from openmeet.recurrence.rule import parse_rule
from openmeet.recurrence.split import carry_over_exclusions

# A Tuesday.
START = datetime.fromisoformat("2026-11-24T18:00")


def pattern(rule: str, *left_out: str, start: datetime = START) -> Pattern:
    return Pattern(start, "Europe/Berlin", parse_rule(rule), tuple(map(datetime.fromisoformat, left_out)))


@pytest.mark.parametrize(
    ("old", "off", "new", "still"),
    [
        ("FREQ=WEEKLY;BYDAY=TU", ["2026-12-22T18:00"], "FREQ=WEEKLY;BYDAY=WE", ["2026-12-23T18:00"]),
        ("FREQ=WEEKLY;BYDAY=TU", ["2026-12-22T18:00"], "FREQ=WEEKLY;BYDAY=TU;INTERVAL=2", ["2026-12-22T18:00"]),
        ("FREQ=WEEKLY;BYDAY=TU", ["2026-12-15T18:00"], "FREQ=WEEKLY;BYDAY=TU;INTERVAL=2", ["2026-12-15T18:00"]),
        ("FREQ=WEEKLY;BYDAY=TU", ["2026-12-22T18:00"], "FREQ=WEEKLY;BYDAY=TU,TH", ["2026-12-22T18:00"]),
        (
            "FREQ=WEEKLY;BYDAY=TU",
            ["2026-12-22T18:00"],
            "FREQ=WEEKLY;BYDAY=MO,WE",
            ["2026-12-21T18:00", "2026-12-23T18:00"],
        ),
        ("FREQ=WEEKLY;BYDAY=TU,TH", ["2026-12-22T18:00"], "FREQ=WEEKLY;BYDAY=WE,FR", ["2026-12-23T18:00"]),
        (
            "FREQ=WEEKLY;BYDAY=TU,TH",
            ["2026-12-22T18:00", "2026-12-24T18:00"],
            "FREQ=WEEKLY;BYDAY=SA",
            ["2026-12-26T18:00"],
        ),
        ("FREQ=WEEKLY;BYDAY=TU", ["2026-12-22T18:00"], "FREQ=DAILY", ["2026-12-22T18:00"]),
        ("FREQ=WEEKLY;BYDAY=TU", ["2026-12-22T18:00"], "FREQ=WEEKLY;BYDAY=TU;BYHOUR=20", ["2026-12-22T20:00"]),
        ("FREQ=MONTHLY;BYDAY=4TU", ["2026-12-22T18:00"], "FREQ=MONTHLY;BYDAY=1WE", ["2026-12-02T18:00"]),
        ("FREQ=MONTHLY;BYDAY=4TU", ["2026-12-22T18:00"], "FREQ=WEEKLY;BYDAY=WE", ["2026-12-23T18:00"]),
        ("FREQ=WEEKLY;BYDAY=TU", ["2026-12-22T18:00"], "FREQ=MONTHLY;BYDAY=-1WE", ["2026-12-22T18:00"]),
        ("FREQ=YEARLY", ["2027-11-24T18:00"], "FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=1", ["2027-12-01T18:00"]),
        ("FREQ=WEEKLY;BYDAY=TU", ["2026-12-23T18:00"], "FREQ=WEEKLY;BYDAY=WE", ["2026-12-23T18:00"]),
    ],
)
def test_excluded_dates_stay_excluded(old: str, off: list[str], new: str, still: list[str]) -> None:
    """Nothing else is excluded: each excluded date of the new rule corresponds to an excluded one of the old rule."""
    made = pattern(new)
    assert [at.isoformat(timespec="minutes") for at in carry_over_exclusions(pattern(old, *off), made)] == still


def test_the_other_weeks_take_place() -> None:
    old, new = pattern("FREQ=WEEKLY;BYDAY=TU", "2026-12-22T18:00", "2026-12-29T18:00"), pattern("FREQ=WEEKLY;BYDAY=TH")
    left_out = carry_over_exclusions(old, new)
    begin, end = expansion.following(new, 0, 1)[0].at, expansion.following(new, 0, 8)[-1].at
    named = [one.original for one in expansion.between(new, begin, end)]
    assert [at for at in named if at in left_out] == [
        at for at in named if at.isoformat()[:10] in {"2026-12-24", "2026-12-31"}
    ]
