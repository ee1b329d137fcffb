"""Random rules compared with a model that steps through the calendar day by day and imports none of our code."""

import calendar
from datetime import date, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from openmeet.i18n.reasons.messages import explain
from openmeet.recurrence import expansion
from openmeet.recurrence.describe import describe
from openmeet.recurrence.errors import RuleRefused
from openmeet.recurrence.pattern import pattern
from openmeet.recurrence.rule import DAYS, parse_rule
from openmeet.recurrence.rule_dates import Steps
from openmeet.recurrence.structured import from_json, to_json
from openmeet.recurrence.wall_time import instant_of
from tests.hypothesis_profiles import examples

FIRST = date(2024, 1, 1)
LAST = date(2028, 12, 31)


def numbers(low: int, high: int) -> st.SearchStrategy[list[int]]:
    return st.lists(st.integers(low, high), min_size=1, max_size=3, unique=True)


@st.composite
def rules(draw: st.DrawFn) -> dict[str, Any]:
    """Rule parts by name, as values of the model."""
    freq = draw(st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]))
    parts: dict[str, Any] = {"FREQ": freq, "INTERVAL": draw(st.integers(1, 4))}
    if draw(st.booleans()):
        parts["BYMONTH"] = draw(numbers(1, 12))
    if freq != "WEEKLY" and draw(st.booleans()):
        parts["BYMONTHDAY"] = draw(
            st.lists(st.sampled_from([1, 2, 13, 28, 29, 30, 31, -1, -2, -30]), min_size=1, max_size=3)
        )
    if draw(st.booleans()):
        days = draw(st.lists(st.integers(0, 6), min_size=1, max_size=4, unique=True))
        nth = draw(st.sampled_from([0, 1, 2, 4, 5, -1])) if freq == "MONTHLY" and "BYMONTHDAY" not in parts else 0
        parts["BYDAY"] = [(day, nth) for day in days]
    return parts


def text_of(parts: dict[str, Any]) -> str:
    def value(name: str, given_: Any) -> str:
        if name == "BYDAY":
            return ",".join(f"{nth or ''}{DAYS[day]}" for day, nth in given_)
        return ",".join(map(str, given_)) if isinstance(given_, list) else str(given_)

    return ";".join(f"{name}={value(name, given_)}" for name, given_ in parts.items())


def is_in(day: date, start: date, parts: dict[str, Any]) -> bool:
    """True if the rule includes a day: the table of RFC 5545, section 3.3.10, for the parts that are generated here."""
    step, length = parts["INTERVAL"], calendar.monthrange(day.year, day.month)[1]
    months = (day.year - start.year) * 12 + day.month - start.month
    weeks = ((day - timedelta(day.weekday())) - (start - timedelta(start.weekday()))).days // 7
    period = {"DAILY": (day - start).days, "WEEKLY": weeks, "MONTHLY": months, "YEARLY": day.year - start.year}[
        parts["FREQ"]
    ]
    if day < start or period % step:
        return False
    month_days = {n if n > 0 else length + 1 + n for n in parts.get("BYMONTHDAY", [])}
    week_of_month, week_from_end = (day.day - 1) // 7 + 1, (length - day.day) // 7 + 1
    by_day = any(
        day.weekday() == weekday and (nth in {0, week_of_month} or nth == -week_from_end)
        for weekday, nth in parts.get("BYDAY", [])
    )
    named = "BYDAY" in parts or "BYMONTHDAY" in parts
    if "BYMONTH" in parts and day.month not in parts["BYMONTH"]:
        return False
    if "BYMONTHDAY" in parts and day.day not in month_days:
        return False
    if "BYDAY" in parts and not by_day:
        return False
    if named or parts["FREQ"] == "DAILY":
        return True
    if parts["FREQ"] == "WEEKLY":
        return day.weekday() == start.weekday()
    if day.day != start.day:
        return False
    return parts["FREQ"] == "MONTHLY" or "BYMONTH" in parts or day.month == start.month


@settings(max_examples=examples(300), deadline=None)
@given(
    parts=rules(),
    start=st.dates(FIRST, date(2025, 12, 31)),
    window=st.tuples(st.dates(FIRST, LAST), st.dates(FIRST, LAST)),
    count=st.none() | st.integers(1, 30),
)
def test_dates_equal_those_of_the_calendar_model(
    parts: dict[str, Any], start: date, window: tuple[date, date], count: int | None
) -> None:
    text = text_of(parts) + (f";COUNT={count}" if count else "")
    made = pattern(datetime.combine(start, datetime.min.time().replace(hour=12)), "UTC", parse_rule(text))
    days = [FIRST + timedelta(n) for n in range((LAST - FIRST).days + 1)]
    model = sorted({start, *(day for day in days if is_in(day, start, parts))})[:count]
    begin, end = min(window), max(window)
    found = expansion.between(made, at_midnight(begin), at_midnight(end))
    assert [one.original.date() for one in found] == [day for day in model if begin <= day < end], text


def at_midnight(day: date) -> Any:
    return instant_of(datetime.combine(day, datetime.min.time()), "UTC")


@settings(max_examples=examples(300), deadline=None)
@given(parts=rules(), start=st.dates(FIRST, LAST))
def test_every_rule_has_one_text_one_object_and_a_sentence(parts: dict[str, Any], start: date) -> None:
    rule = parse_rule(text_of(parts))
    assert parse_rule(str(rule)) == rule
    assert from_json(to_json(rule)) == rule
    sentence = describe(pattern(datetime.combine(start, datetime.min.time()), "UTC", rule))
    assert sentence[0].isupper()
    assert "  " not in sentence


PIECES = [
    "FREQ=DAILY",
    "FREQ=YEARLY",
    "COUNT=0",
    "COUNT=9999999",
    "BYDAY=0MO",
    "BYDAY=MO",
    "BYSETPOS=1",
    "UNTIL=",
    "=",
    "INTERVAL=-1",
    "BYMONTHDAY=32",
    "UNTIL=20261332",
    "BYHOUR=24",
    "X=1",
    "BYMINUTE=0,1,2",
    "WKST=XX",
]


@settings(max_examples=examples(500), deadline=None)
@given(text=st.text(max_size=60) | st.lists(st.sampled_from(PIECES), max_size=6).map(";".join))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        rule = parse_rule(text)
    except RuleRefused as refused:
        why = explain(refused.why)
    else:
        assert parse_rule(str(rule)) == rule
        return
    assert why.endswith(".")


@settings(max_examples=examples(200), deadline=None)
@given(
    parts=rules(),
    start=st.dates(FIRST, date(2025, 12, 31)),
    window=st.tuples(st.dates(FIRST, LAST), st.dates(FIRST, LAST)),
    count=st.none() | st.integers(1, 30),
    extra=st.lists(st.dates(date(2024, 3, 1), date(2025, 11, 30)), max_size=5),
    hour=st.sampled_from([0, 2, 3, 23]),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "Pacific/Apia", "America/St_Johns"]),
)
def test_walking_gives_the_same_dates_as_expanding_at_once(
    parts: dict[str, Any],
    start: date,
    window: tuple[date, date],
    count: int | None,
    extra: list[date],
    hour: int,
    zone: str,
) -> None:
    """The dates and their order are equal, also where clocks skip or repeat an hour, whether they are computed one by
    one or all at once.
    """
    text = text_of(parts) + (f";COUNT={count}" if count else "")
    times = [datetime(day.year, day.month, day.day, hour, 30) for day in extra]  # noqa: DTZ001
    made = pattern(
        datetime(start.year, start.month, start.day, hour, 30),  # noqa: DTZ001
        zone,
        parse_rule(text),
        left_out=times[::2],
        added=times[1::2],
    )
    begin, end = at_midnight(min(window)), at_midnight(max(window))
    assert list(expansion.walk(made, begin, end)) == expansion.between(made, begin, end), text
    assert list(expansion.walk(made, begin, end, Steps())) == expansion.between(made, begin, end), text
