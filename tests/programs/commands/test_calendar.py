"""``openmeet calendar inspect`` shows which parts of a file were understood and which were not."""

import json
from pathlib import Path

import pytest
from tests.external_dependencies import fixture_path, needs
from typer.testing import CliRunner, Result

from programs.commands import calendar

FILES = ("google-weekly-overrides", "outlook-custom-vtimezone", "apple-lf-allday-duration", "this-and-future")


def _inspect(path: Path, *more: str) -> Result:
    return CliRunner().invoke(calendar.app, ["inspect", str(path), *more])


@needs("fixtures")
def test_a_calendar_file_is_shown_to_people() -> None:
    result = _inspect(fixture_path("data/ics/google-weekly-overrides.ics"))
    assert result.exit_code == 0
    for said in (
        "Riverside Ceilidh Band 🎻 (America/New_York, 3 events, PUBLISH)",
        "Tuesday practice (cancelled)",
        "Every Tuesday at 19:00, until 15 April 2025, except 18 March 2025 (America/New_York), 2 h 00 min",
        "26 March 2025 at 20:00, instead of 2025-03-25 19:00",
        "none, it is over",
    ):
        assert said in result.stdout


@needs("fixtures")
@pytest.mark.parametrize("name", FILES)
def test_a_calendar_file_is_printed_as_json(name: str) -> None:
    (found,) = json.loads(_inspect(fixture_path(f"data/ics/{name}.ics"), "--json").stdout)["calendars"]
    assert found["events"]
    assert all(event["sentence"] for event in found["events"])


@needs("fixtures")
def test_oddities_are_reported() -> None:
    said = _inspect(fixture_path("data/ics/apple-lf-allday-duration.ics")).stdout
    assert "(without UID)" in said
    assert "(Europe/London, because no zone is given)" in said


def test_file_that_is_not_a_calendar(tmp_path: Path) -> None:
    file = tmp_path / "page.ics"
    file.write_text("<html>")
    for more in ((), ("--json",)):
        result = _inspect(file, *more)
        assert result.exit_code == 1
        assert "This isn’t a calendar file" in result.output


def test_errors_of_a_start_are_distinguished(tmp_path: Path) -> None:
    """An unreadable start is reported differently from a missing one, and an unknown time zone differently from none."""
    file = tmp_path / "odd.ics"
    starts = ("DTSTART:20261301T000000", "SUMMARY:Nothing", "DTSTART;TZID=Mars:20261201T100000")
    events = "".join(f"BEGIN:VEVENT\r\n{start}\r\nEND:VEVENT\r\n" for start in starts)
    file.write_text(f"BEGIN:VCALENDAR\r\n{events}END:VCALENDAR\r\n", newline="")
    result = _inspect(file)
    said = result.stdout + result.stderr
    assert "An event without a title was left out. We can’t read when it starts." in said
    assert "“Nothing” was left out. It doesn’t say when it starts." in said
    assert "1 December 2026 at 10:00 (UTC, because the file's zone Mars is unknown)" in said


def test_dates_without_their_series_are_reported(tmp_path: Path) -> None:
    file = tmp_path / "group.ics"
    dates = [
        f"BEGIN:VEVENT\r\nUID:choir\r\nRECURRENCE-ID:{day}T180000Z\r\nDTSTART:{day}T180000Z\r\nSUMMARY:Choir\r\nEND:VEVENT\r\n"
        for day in ("20270302", "20270309")
    ]
    file.write_text("BEGIN:VCALENDAR\r\n" + "".join(dates) + "END:VCALENDAR\r\n")
    assert "Choir: The file has 2 dates of this series but not its rule" in _inspect(file).stdout
    assert "2 March 2027 at 18:00 and on 9 March 2027 (UTC)" in _inspect(file).stdout
    (said,) = json.loads(_inspect(file, "--json").stdout)["calendars"]
    assert [one["added"] for one in said["gathered"]] == [["2027-03-09T18:00:00"]]
