"""Difficult recurrence cases from ``data/recurrence/cases.json``, under the policies of the design."""

import json
import time
from datetime import datetime, timedelta
from typing import Any

import pytest

from groundwork.clock import DAY, Instant
from openmeet.i18n.reasons.messages import explain
from openmeet.recurrence import expansion
from openmeet.recurrence.errors import RuleRefused
from openmeet.recurrence.pattern import Pattern, parse_date, pattern
from openmeet.recurrence.rule import parse_rule
from openmeet.recurrence.wall_time import instant_of, local_of
from tests.external_dependencies import fixture_path, needs

FILE = fixture_path("data/recurrence/cases.json")
CASES: list[dict[str, Any]] = json.loads(FILE.read_text())["cases"] if FILE.is_file() else []
# Cases in which the design differs from the text of the RFC.
OURS = ("shift-forward", "DTSTART always counts", "refused at creation", "sub-daily rules refused")
RFC_READING = {"dtstart-not-in-rule-weekly", "dtstart-in-gap"}


def wanted(case: dict[str, Any]) -> dict[str, Any]:
    """Return ``expected`` or ``expected_error`` under our policies."""
    if case["name"] not in RFC_READING:
        for other in case.get("alternatives", []):
            if other["policy"].startswith(OURS):
                return dict(other)
    return case


def pattern_of(case: dict[str, Any]) -> Pattern:
    zone = case["tzid"]
    rule = None if case["rrule"] is None else parse_rule(case["rrule"])
    made = pattern(
        parse_date(case["dtstart"], zone),
        zone,
        rule,
        left_out=[parse_date(text, zone) for text in case["exdates"]],
        added=[parse_date(text, zone) for text in case["rdates"]],
        is_all_day=case["all_day"],
    )
    expansion.check_occurs(made)
    return made


def bound(case: dict[str, Any], name: str) -> Instant:
    return instant_of(parse_date(case[name], case["tzid"]), case["tzid"] or "UTC")


def written(case: dict[str, Any], occurrence: expansion.Occurrence) -> str:
    if case["all_day"]:
        return occurrence.original.date().isoformat()
    local = local_of(occurrence.at, case["tzid"] or "UTC")
    if case["tzid"] is None:
        return local.replace(tzinfo=None).isoformat()
    return local.isoformat().replace("+00:00", "Z") if case["tzid"] == "UTC" else local.isoformat()


@needs("fixtures")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_each_case_has_the_expected_dates(case: dict[str, Any]) -> None:
    want = wanted(case)
    if "expected_error" in want:
        with pytest.raises(RuleRefused) as refused:
            pattern_of(case)
        assert refused.value.name == want["expected_error"]
        assert explain(refused.value.why).endswith(".")
        return
    found = expansion.between(pattern_of(case), bound(case, "from"), bound(case, "to"))
    assert [written(case, occurrence) for occurrence in found] == want["expected"]


@needs("fixtures")
@pytest.mark.parametrize("case", [case for case in CASES if "expected" in wanted(case)], ids=lambda case: case["name"])
def test_adjacent_windows_add_up(case: dict[str, Any]) -> None:
    made, start, end = pattern_of(case), bound(case, "from"), bound(case, "to")
    whole = expansion.between(made, start, end)
    assert whole == sorted(set(whole))
    for part in range(1, 8):
        middle = Instant(start + (end - start) * part // 8)
        expansion.clear()
        assert expansion.between(made, start, middle) + expansion.between(made, middle, end) == whole
    paged: list[expansion.Occurrence] = []
    after = start
    while page := [one for one in expansion.following(made, after, 2) if one.at < end]:
        paged += page
        after = Instant(page[-1].at + 1)
    assert paged == whole
    assert all(expansion.is_date_of(made, one.original) for one in whole)


def test_there_are_cases() -> None:
    assert not FILE.is_file() or len(CASES) >= 43


def test_the_zone_of_this_machine_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    made = pattern(wall("2026-03-01T18:00"), "Europe/Berlin", parse_rule("FREQ=DAILY"))
    window = instant_of(wall("2026-03-01"), "UTC"), instant_of(wall("2026-05-01"), "UTC")
    here = expansion.between(made, *window)
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    time.tzset()
    try:
        expansion.clear()
        assert expansion.between(made, *window) == here
    finally:
        monkeypatch.undo()
        time.tzset()
    assert {local_of(one.at, "Europe/Berlin").hour for one in here} == {18}
    assert {local_of(one.at, "UTC").hour for one in here} == {16, 17}


@pytest.mark.parametrize("years", [30, 150])
def test_a_window_far_in_the_future(years: int) -> None:
    made = pattern(wall("2001-01-02T19:00"), "America/New_York", parse_rule("FREQ=DAILY"))
    start = instant_of(wall(f"{2001 + years}-01-01"), "UTC")
    found = expansion.between(made, start, Instant(start + 7 * DAY))
    assert len(found) == 7
    assert found[1].original - found[0].original == timedelta(days=1)


def wall(text: str) -> datetime:
    return datetime.fromisoformat(text)
