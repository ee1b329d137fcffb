"""The cost of hostile recurrence rules, counted in steps: no RFC 5545 rule keeps a server busy."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openmeet.domain.series.model import Timing
from openmeet.domain.series.preview import summary_of
from openmeet.recurrence import expansion, rule_dates
from openmeet.recurrence.errors import RecurrenceReason, RuleErrorCode, RuleRefused
from openmeet.recurrence.pattern import Pattern, parse_date, pattern
from openmeet.recurrence.rule import DAYS, parse_rule
from openmeet.recurrence.wall_time import instant_of

local = datetime.fromisoformat
START = local("2026-11-24T18:00")
NOW = instant_of(local("2026-11-21T00:00"), "UTC")
EVERY_HALF_HOUR = "BYHOUR=" + ",".join(map(str, range(24))) + ";BYMINUTE=0,30"
A_THOUSAND = tuple(START + timedelta(days=59 * number) for number in range(1_000))
# All computations for one preview together may take as many steps as one expansion. An ordinary rule takes 500, a dense
# one 100,000.
MAX_OF_A_PREVIEW = rule_dates.MAX_STEPS


@pytest.fixture
def steps(monkeypatch):
    """Return the number of steps so far: the bounded ones, and the days of cached year types."""
    taken = [0]
    take = rule_dates.Steps.take

    def counting(self, number=1):
        taken[0] += number
        take(self, number)

    monkeypatch.setattr(rule_dates.Steps, "take", counting)
    return lambda: taken[0] + 366 * rule_dates.named_days.cache_info().misses


def of_preview(made: Pattern) -> RuleErrorCode | None:
    """Compute everything that is checked before a rule is accepted; return why it is refused, or None."""
    expansion.clear()
    try:
        summary_of(Timing(made, None), NOW, 10)
    except RuleRefused as refused:
        return refused.code
    return None


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("FREQ=WEEKLY;BYDAY=TU", None),
        ("FREQ=DAILY;INTERVAL=1000;BYMONTHDAY=31;BYDAY=MO;BYMONTH=12", RuleErrorCode.NEVER_OCCURS),
        ("FREQ=MONTHLY;BYMONTHDAY=31;BYMONTH=2", RuleErrorCode.NEVER_OCCURS),
        ("FREQ=MONTHLY;INTERVAL=12;BYMONTH=3", RuleErrorCode.NEVER_OCCURS),
        ("FREQ=WEEKLY;BYSETPOS=8;BYDAY=MO", RuleErrorCode.NEVER_OCCURS),
        (f"FREQ=DAILY;BYSETPOS=49;{EVERY_HALF_HOUR}", RuleErrorCode.NEVER_OCCURS),
        ("FREQ=YEARLY;BYWEEKNO=53;BYDAY=WE;BYMONTH=1", RuleErrorCode.NEVER_OCCURS),
        ("FREQ=YEARLY;BYYEARDAY=366", None),
        ("FREQ=YEARLY;INTERVAL=4;BYYEARDAY=366", RuleErrorCode.NEVER_OCCURS),
        ("FREQ=YEARLY;BYYEARDAY=366;COUNT=10000", None),
        (f"FREQ=DAILY;UNTIL=21991231;{EVERY_HALF_HOUR}", None),
        (f"FREQ=DAILY;COUNT=10000;{EVERY_HALF_HOUR}", None),
    ],
)
@pytest.mark.parametrize("left_out", [(), A_THOUSAND], ids=["nothing left out", "a thousand left out"])
def test_a_hostile_rule_stays_within_the_bound(text, refused, left_out, steps):
    """These rules took between 0.3 and 17 seconds on the event loop before there was a bound."""
    assert of_preview(pattern(START, "Europe/Berlin", parse_rule(text), left_out=left_out)) is refused
    assert 0 < steps() <= MAX_OF_A_PREVIEW


def lists(low: int, high: int, *, signed: bool = False) -> st.SearchStrategy[str]:
    numbers = st.integers(low, high)
    if signed:
        numbers = numbers | numbers.map(lambda number: -number)
    return st.lists(numbers, min_size=1, max_size=12).map(lambda some: ",".join(map(str, some)))


@st.composite
def hostile(draw: st.DrawFn) -> str:
    """Generate rules with more parts than anybody would use."""
    freq = draw(st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]))
    parts = [f"FREQ={freq}", f"INTERVAL={draw(st.sampled_from([1, 2, 11, 12, 400, 999, 1000]))}"]
    choices = [("BYMONTH", lists(1, 12)), ("BYDAY", st.sets(st.sampled_from(DAYS), min_size=1).map(",".join))]
    choices += [("BYSETPOS", lists(1, 366, signed=True))]
    if freq != "WEEKLY":
        choices.append(("BYMONTHDAY", st.sampled_from(["31", "29", "-31", "30,31"]) | lists(1, 31, signed=True)))
    if freq == "YEARLY":
        choices += [("BYYEARDAY", st.just("366") | lists(1, 366, signed=True)), ("BYWEEKNO", lists(1, 53, signed=True))]
    parts += [f"{name}={draw(values)}" for name, values in choices if draw(st.booleans())]
    parts += draw(st.sampled_from([[], [EVERY_HALF_HOUR], ["BYHOUR=0,23"]]))
    parts += draw(st.sampled_from([[], ["COUNT=10000"], ["UNTIL=21991231T000000Z"], ["UNTIL=20261225"]]))
    return ";".join(parts)


@settings(max_examples=40, deadline=None)
@given(text=hostile(), has_exceptions=st.booleans())
def test_no_rule_exceeds_the_work_limit(text: str, has_exceptions: bool) -> None:
    try:
        made = pattern(START, "Europe/Berlin", parse_rule(text), left_out=A_THOUSAND if has_exceptions else ())
    except RuleRefused:
        return
    with pytest.MonkeyPatch.context() as patched:
        taken = [0]
        take = rule_dates.Steps.take

        def counting(self: rule_dates.Steps, number: int = 1) -> None:
            taken[0] += number
            take(self, number)

        patched.setattr(rule_dates.Steps, "take", counting)
        assert of_preview(made) in {None, RuleErrorCode.NEVER_OCCURS, RuleErrorCode.BAD_UNTIL}, text
    assert taken[0] <= MAX_OF_A_PREVIEW, text


def test_expanding_too_many_dates_is_refused_with_a_reason() -> None:
    made = pattern(START, "UTC", parse_rule(f"FREQ=DAILY;{EVERY_HALF_HOUR}"))
    with pytest.raises(RuleRefused) as refused:
        expansion.between(made, NOW, instant_of(local("2120-01-01T00:00"), "UTC"))
    assert refused.value.code is RuleErrorCode.TOO_MANY_DATES
    assert refused.value.why == RecurrenceReason.TOO_MANY_STEPS()
    assert len(expansion.between(made, NOW, instant_of(local("2120-01-01T00:00"), "UTC"), limit=30)) == 30


def test_bysetpos_counts_from_the_whole_first_week() -> None:
    """Regression: the first week was counted only from the start, so its second time was wrong."""
    made = pattern(local("2025-05-24T02:30"), "UTC", parse_rule("FREQ=WEEKLY;BYDAY=FR,SA;BYHOUR=4,20;BYSETPOS=2"))
    found = expansion.following(made, instant_of(local("2025-05-20T00:00"), "UTC"), 3)
    assert [one.original for one in found] == [
        local("2025-05-24T02:30"),
        local("2025-05-30T20:30"),
        local("2025-06-06T20:30"),
    ]


def test_a_plain_and_an_ordinal_weekday_combine() -> None:
    """Every Monday and the second Tuesday. Regression: the combination had no dates at all."""
    made = pattern(local("2027-03-01T18:00"), "UTC", parse_rule("FREQ=MONTHLY;BYDAY=MO,2TU"))
    found = expansion.following(made, NOW, 6)
    assert [one.original.day for one in found] == [1, 8, 9, 15, 22, 29]


def test_dates_in_skipped_hours_keep_their_names() -> None:
    """The dates can be excluded by the time that the clocks showed or by the name of the date."""
    for left_out in (local("2027-03-28T02:30"), local("2027-03-28T03:30")):
        made = pattern(local("2027-03-27T02:30"), "Europe/Berlin", parse_rule("FREQ=DAILY"), left_out=[left_out])
        assert expansion.unused_exclusions(made) == ()
        assert [one.original.day for one in expansion.following(made, NOW, 2)] == [27, 29]
        assert not expansion.is_date_of(made, local("2027-03-28T02:30"))


def test_the_last_of_many_dates_is_found_from_the_end(steps) -> None:
    expansion.clear()
    made = pattern(START, "UTC", parse_rule(f"FREQ=DAILY;UNTIL=21991231T120000;{EVERY_HALF_HOUR}"))
    last = expansion.last_of(made)
    assert last is not None
    assert last.original == local("2199-12-31T12:00")
    assert steps() < 40_000


def test_a_repeated_hour_is_one_date() -> None:
    """Regression: a start that was given as an instant in the repeated hour became a second date."""
    start = parse_date("20261025T013000Z", "Europe/Berlin")
    made = pattern(start, "Europe/Berlin", parse_rule("FREQ=DAILY;COUNT=3"))
    found = expansion.between(made, instant_of(local("2026-10-01"), "UTC"), NOW)
    assert [one.original.isoformat() for one in found] == [f"2026-10-{day}T02:30:00" for day in (25, 26, 27)]


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "America/New_York"])
@pytest.mark.parametrize("original", ["0001-01-01T00:00", "9999-12-31T23:59"])
def test_name_at_the_end_of_time_is_no_date(original: str, zone: str) -> None:
    made = pattern(local("2027-03-28T18:00"), zone, parse_rule("FREQ=DAILY"))
    assert not expansion.is_date_of(made, local(original))
