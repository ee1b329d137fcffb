"""Wall-clock times and the instants that they mean."""

from datetime import datetime

import pytest

from groundwork.clock import from_datetime
from groundwork.errors import InvalidInput
from openmeet.recurrence import wall_time


def instant(text: str) -> int:
    return from_datetime(datetime.fromisoformat(text))


@pytest.mark.parametrize(
    ("local", "zone", "utc"),
    [
        ("2026-07-04T18:00", "Europe/Berlin", "2026-07-04T16:00:00+00:00"),
        ("2026-12-04T18:00", "Europe/Berlin", "2026-12-04T17:00:00+00:00"),
        # The gap of 29 March: 02:30 is read with the offset before the gap, and becomes 03:30.
        ("2026-03-29T02:30", "Europe/Berlin", "2026-03-29T01:30:00+00:00"),
        # On 25 October 02:30 occurs twice. The first one, in summer time, is used.
        ("2026-10-25T02:30", "Europe/Berlin", "2026-10-25T00:30:00+00:00"),
        ("2026-03-08T02:30", "America/New_York", "2026-03-08T07:30:00+00:00"),
        ("2026-07-04T18:00", "UTC", "2026-07-04T18:00:00+00:00"),
        ("2026-07-04T18:00", "-06:00", "2026-07-05T00:00:00+00:00"),
        ("2026-07-04T18:00", "Asia/Kathmandu", "2026-07-04T12:15:00+00:00"),
    ],
)
def test_the_instant_of_a_wall_clock_time(local, zone, utc):
    assert wall_time.instant_of(datetime.fromisoformat(local), zone) == instant(utc)


@pytest.mark.parametrize(
    "text", ["", "2026-07-04", "2026-07-04T18:00Z", "2026-02-30T18:00", "18:00", "2026-07-04T24:01", "1850-01-01T10:00"]
)
def test_an_invalid_wall_clock_time_names_its_field(text):
    with pytest.raises(InvalidInput) as raised:
        wall_time.parse_local(text, "starts")
    assert raised.value.field == "starts"


@pytest.mark.parametrize(
    ("name", "known"),
    [("Europe/Berlin", True), ("+05:30", True), ("Mars/Olympus", False), ("", False), ("../etc", False)],
)
def test_only_names_of_the_zone_database_are_zones(name, known):
    assert wall_time.is_zone(name) is known


@pytest.mark.parametrize("name", ["Mars/Olympus", "localtime", "+99:00", "../../etc/passwd"])
def test_an_unknown_stored_zone_is_shown_in_utc(name):
    """Zone files differ between machines, and one event must not break pages that list many."""
    moment = instant("2026-07-04T16:00:00Z")
    assert wall_time.local_of(moment, name).isoformat() == "2026-07-04T16:00:00+00:00"
