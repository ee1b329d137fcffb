"""``openmeet series preview`` prints the dates and the sentence, or the refusal with its code."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from programs.commands import series
from programs.operations.series import FIRST_DATES

TUESDAYS = ("--dtstart", "2026-11-24T18:00", "--timezone", "Europe/Berlin", "--rrule", "FREQ=WEEKLY;BYDAY=TU")


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(series.app, ["preview", *arguments])


def _json(*arguments: str) -> dict[str, Any]:
    return dict(json.loads(_run(*arguments, "--json").stdout))


def test_dates_and_a_sentence() -> None:
    said = _run(*TUESDAYS, "--exdate", "2026-12-22T18:00").stdout.splitlines()
    assert said[0] == "Every Tuesday at 18:00, except 22 December 2026 (Europe/Berlin)"
    assert said[1:4] == ["  Tue 2026-11-24 18:00 +0100", "  Tue 2026-12-01 18:00 +0100", "  Tue 2026-12-08 18:00 +0100"]
    assert len(said) == 1 + FIRST_DATES
    assert not any("2026-12-22" in line for line in said)


def test_exclusion_without_a_date_is_reported() -> None:
    said = _run(*TUESDAYS, "--exdate", "2026-12-22T17:00", "--exdate", "2026-12-29T18:00")
    assert said.stdout.startswith("Every Tuesday at 18:00, except 29 December 2026 (Europe/Berlin)")
    assert "2026-12-22 17:00 excludes nothing" in said.stderr
    assert _json(*TUESDAYS, "--exdate", "2026-12-22T17:00")["exdatesWithoutDate"] == ["2026-12-22T17:00:00"]


def test_dates_of_a_rule_are_printed_as_json() -> None:
    found = _json(*TUESDAYS, "--rdate", "2027-03-25T19:30", "--from", "2027-03-22", "--to", "2027-03-31")
    assert found["rule"] == {"text": "FREQ=WEEKLY;BYDAY=TU", "frequency": "weekly", "byDay": [{"day": "tu"}]}
    assert [date["starts"] for date in found["dates"]] == [
        "2027-03-23T18:00:00+01:00",
        "2027-03-25T19:30:00+01:00",
        "2027-03-30T18:00:00+02:00",
    ]


def test_a_time_that_the_clocks_skip_is_explained() -> None:
    said = _run("--dtstart", "2026-03-28T02:30", "--timezone", "Europe/Berlin", "--rrule", "FREQ=DAILY").stdout
    assert "Sun 2026-03-29 03:30 +0200  (there is no 02:30 that day: the clocks go forward)" in said


def test_dates_without_a_time_are_whole_days() -> None:
    said = _run(
        "--dtstart", "2026-12-24", "--rrule", "FREQ=YEARLY", "--from", "2030-01-01", "--to", "2032-01-01"
    ).stdout
    assert said.splitlines() == ["Every year on 24 December (UTC)", "  Tue 2030-12-24", "  Wed 2031-12-24"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--dtstart", "2026-11-24T18:00", "--rrule", "FREQ=WEEKLY;BYDAY=2MO"), "BYDAY_ORDINAL_NOT_ALLOWED"),
        (("--dtstart", "2026-11-24T18:00", "--rrule", "FREQ=HOURLY"), "UNSUPPORTED_FREQ"),
        (("--dtstart", "2026-11-24T18:00", "--rrule", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"), "NEVER_OCCURS"),
        (("--dtstart", "2026-11-24T18:00", "--timezone", "Nowhere/Land"), "UNKNOWN_ZONE"),
        (("--dtstart", "2026-11-24T18:00", "--rrule", "FREQ=WEEKLY;UNTIL=20251231"), "BAD_UNTIL"),
        (("--dtstart", "2026-11-24T18:00", "--rrule", " "), "MISSING_FREQ"),
        (("--dtstart", "tomorrow"), "BAD_DATE"),
        (("--dtstart", "2026-11-24T18:00", "--from", "x"), "BAD_DATE"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_invalid_rules_are_refused(arguments: tuple[str, ...], code: str) -> None:
    result = _run(*arguments)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"{code}: ")
    assert _json(*arguments)["refused"]["code"] == code


def test_a_refused_rule_comes_with_rules_that_fit() -> None:
    said = _run("--dtstart", "2026-11-24T18:00", "--rrule", "FREQ=WEEKLY;BYDAY=2MO").stderr
    assert "FREQ=MONTHLY;BYDAY=4TU" in said
    assert "On the fourth Tuesday of every month at 18:00" in said


def test_a_date_before_the_start_is_shown() -> None:
    said = _run("--dtstart", "2026-11-24T18:00", "--rdate", "2026-11-20T20:00", "--exdate", "2026-11-24T18:00").stdout
    assert said.splitlines() == ["20 November 2026 at 20:00 (UTC)", "  Fri 2026-11-20 20:00 +0000"]


def test_rules_that_fit_a_day_have_no_time() -> None:
    said = _run("--dtstart", "2026-11-24", "--rrule", "FREQ=WEEKLY;BYHOUR=9").stderr
    assert "Every Tuesday\n" in said
    assert "00:00" not in said
