"""All dates of a series are moved by the same amount: none is lost at the end of the series, and none is added."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundwork.clock import Instant
from openmeet.domain.events.content import Content
from openmeet.domain.series.actions import new_series
from openmeet.domain.series.dates import details_of, original_text
from openmeet.domain.series.edits import Edit, plan_of
from openmeet.domain.series.model import EditScope, PublishPolicy, Timing
from openmeet.domain.series.plan import moved
from openmeet.domain.users.model import UserId
from openmeet.recurrence import expansion
from openmeet.recurrence.pattern import Pattern, pattern
from openmeet.recurrence.rule import DAYS, parse_rule
from openmeet.recurrence.wall_time import instant_of

START = datetime.fromisoformat("2026-11-24T18:00")
ENDS = ["COUNT=7", "UNTIL=20261230", "UNTIL=20261229T170000Z", "UNTIL=20261229T180000"]
SHIFTS = st.builds(timedelta, days=st.integers(-6, 6), hours=st.integers(-23, 23), minutes=st.sampled_from([0, 30]))


def names(made: Pattern) -> list[datetime]:
    end = instant_of(START + timedelta(days=400), "UTC")
    return [one.original for one in expansion.between(made, Instant(0), end)]


@pytest.mark.parametrize("end", ENDS[1:])
@pytest.mark.parametrize("hours", [-19, -1, 1, 7, -24, 24])
def test_the_last_date_stays_the_last(end: str, hours: int) -> None:
    """The end is a day, an instant or a wall-clock time, and the dates move earlier or later by hours or a day. The
    number of dates stays the same.
    """
    before = pattern(START, "Europe/Berlin", parse_rule(f"FREQ=WEEKLY;{end}"))
    by = timedelta(hours=hours)
    after = moved(Timing(before, None), START, START + by, None).pattern
    assert names(after) == [name + by for name in names(before)]
    assert len(names(after)) == 6


@given(
    st.sampled_from(["DAILY", "WEEKLY"]),
    st.integers(1, 3),
    st.lists(st.sampled_from(DAYS), max_size=4, unique=True),
    st.sampled_from(ENDS),
    st.sampled_from(["Europe/Berlin", "America/New_York", "Asia/Tokyo"]),
    SHIFTS,
)
def test_all_dates_move_by_the_same_amount(
    freq: str, interval: int, days: list[str], end: str, zone: str, by: timedelta
) -> None:
    """All dates move, also in a series that repeats every second week, and across the boundary of a week."""
    named = f";BYDAY={','.join(days)}" if days and freq == "WEEKLY" else ""
    before = pattern(START, zone, parse_rule(f"FREQ={freq};INTERVAL={interval};{end}{named}"))
    after = moved(Timing(before, None), START, START + by, None).pattern
    assert names(after) == [name + by for name in names(before)]


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Tokyo"])
@pytest.mark.parametrize("end", ENDS)
def test_another_time_zone_loses_and_adds_no_date(zone: str, end: str) -> None:
    """Each date keeps its wall-clock time, and the last one stays the last, even if the rule ends at an instant."""
    rule = parse_rule(f"FREQ=DAILY;{end}")
    timing = Timing(pattern(START, "Europe/Berlin", rule), None)
    series = new_series(Instant(0), UserId("ana"), Content("Practice"), timing, PublishPolicy.NEXT, None)
    usual = details_of(series.content, series.timing, START)
    there = replace(usual, time_zone=zone, starts_at=instant_of(START, zone))
    edit = Edit(EditScope.ALL, original_text(START), there, frozenset({"time_zone"}))
    after = plan_of(series, edit, [], Instant(0)).timing.pattern
    assert after.zone_name == zone
    assert names(after) == names(series.timing.pattern)
