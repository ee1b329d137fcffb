"""The two parts of a split pattern together have all dates of the original one, wherever it is split."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundwork.errors import Refused
from openmeet.recurrence import expansion
from openmeet.recurrence.pattern import Pattern, pattern
from openmeet.recurrence.rule import parse_rule
from openmeet.recurrence.split import split
from openmeet.recurrence.wall_time import instant_of
from tests.hypothesis_profiles import examples

RULES = (
    "FREQ=DAILY",
    "FREQ=DAILY;INTERVAL=3;COUNT=40",
    "FREQ=WEEKLY;COUNT=20",
    "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SU;WKST=SU",
    "FREQ=MONTHLY;BYDAY=1FR,-1MO;COUNT=15",
    "FREQ=MONTHLY;INTERVAL=2",
    "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=1,-1",
    "FREQ=WEEKLY;UNTIL=20270301",
    "FREQ=YEARLY;COUNT=3",
    "FREQ=DAILY;BYHOUR=9,18;COUNT=50",
    None,
)
WINDOW = (
    instant_of(datetime.fromisoformat("2025-06-01"), "UTC"),
    instant_of(datetime.fromisoformat("2029-01-01"), "UTC"),
)


def dates(made: Pattern) -> list[datetime]:
    return [one.original for one in expansion.between(made, *WINDOW)]


@st.composite
def patterns(draw: st.DrawFn) -> Pattern:
    start = draw(st.datetimes(datetime.fromisoformat("2026-01-01"), datetime.fromisoformat("2026-12-31")))
    start = start.replace(second=0, microsecond=0)
    rule = draw(st.sampled_from(RULES))
    some = st.lists(st.integers(-20, 300).map(lambda days: start + timedelta(days=days)), max_size=4)
    made = pattern(
        start,
        draw(st.sampled_from(("Europe/Berlin", "America/New_York", "UTC"))),
        None if rule is None else parse_rule(rule),
        added=draw(some),
        is_all_day=draw(st.booleans()) and rule is not None and "BYHOUR" not in rule,
    )
    known = dates(made)[:30]
    return pattern(
        made.start,
        made.zone_name,
        made.rule,
        added=made.added,
        left_out=draw(st.lists(st.sampled_from(known), max_size=3)),
        is_all_day=made.is_all_day,
    )


@settings(max_examples=examples(400), deadline=None)
@given(made=patterns(), data=st.data())
def test_nothing_is_lost_or_duplicated(made: Pattern, data: st.DataObject) -> None:
    known = dates(made)
    if len(known) < 2:
        return
    at = data.draw(st.sampled_from(known[1:40]))
    before, behind = split(made, at)
    assert dates(before) + dates(behind) == known
    assert dates(before)[-1] < at == dates(behind)[0]
    third = dates(behind)[1:20]
    if third:
        again = data.draw(st.sampled_from(third))
        assert sum(map(len, map(dates, split(behind, again)))) == len(dates(behind))


def test_the_count_continues() -> None:
    made = pattern(datetime.fromisoformat("2026-11-24T18:00"), "Europe/Berlin", parse_rule("FREQ=WEEKLY;COUNT=10"))
    before, behind = split(made, datetime.fromisoformat("2026-12-15T18:00"))
    assert str(before.rule) == "FREQ=WEEKLY;UNTIL=20261208T180000"
    assert str(behind.rule) == "FREQ=WEEKLY;COUNT=7"


@pytest.mark.parametrize(("at", "name"), [("2026-11-24T18:00", "FirstDate"), ("2026-11-25T18:00", "NoSuchDate")])
def test_splitting_at_the_first_or_no_date_is_refused(at: str, name: str) -> None:
    made = pattern(datetime.fromisoformat("2026-11-24T18:00"), "Europe/Berlin", parse_rule("FREQ=WEEKLY"))
    with pytest.raises(Refused) as refused:
        split(made, datetime.fromisoformat(at))
    assert refused.value.name == name


def test_a_rule_with_many_times_a_day_continues() -> None:
    """More dates than are looked at at once lie in the two days before the split."""
    rule = parse_rule("FREQ=DAILY;BYHOUR=8,9,10,11,12,13,14,15;BYMINUTE=0,15,30,45;UNTIL=20261231")
    made = pattern(datetime.fromisoformat("2026-11-24T08:00"), "Europe/Berlin", rule)
    at = datetime.fromisoformat("2026-12-01T08:00")
    before, behind = split(made, at)
    assert dates(behind)[0] == at
    assert dates(before) + dates(behind) == dates(made)
