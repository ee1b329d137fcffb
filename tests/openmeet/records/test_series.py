"""Series in foreign records: dates that no calendar can hold are left out, and nothing fails."""

from datetime import datetime, timedelta

import pytest

from groundwork.clock import Instant, from_datetime
from openmeet.network.records.collections import SERIES
from openmeet.network.records.series import read_native, read_series

WEEKLY = {
    "$type": SERIES,
    "name": "Tea",
    "createdAt": "2026-01-01T00:00:00Z",
    "timezone": "Asia/Tokyo",
    "dtstart": "2027-01-04T18:00:00",
    "rrule": ["FREQ=WEEKLY;COUNT=5"],
}
STARTS_AT = Instant(from_datetime(datetime.fromisoformat("2027-01-04T18:00:00+09:00")))


@pytest.mark.parametrize("minutes", [2**31, 2**53 - 1, -(2**53), 2**63 - 1, 3660 * 24 * 60 + 1, 0, True, "60", None])
def test_an_impossible_length_counts_as_missing(minutes: object):
    """A length that no time interval can hold counts as missing, like an invalid one."""
    assert read_series(SERIES, {**WEEKLY, "durationMinutes": minutes}).timing.length is None


def test_a_length_of_up_to_ten_years_is_accepted():
    assert read_series(SERIES, {**WEEKLY, "durationMinutes": 3660 * 24 * 60}).timing.length == timedelta(days=3660)


@pytest.mark.parametrize("key", ["rdate", "exdate"])
@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/New_York"])
@pytest.mark.parametrize("text", ["9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+14:00"])
def test_dates_beyond_the_calendar_are_left_out(key: str, zone: str, text: str):
    """An instant that cannot be expressed in the local time of its zone is not a date of the series."""
    record = {**WEEKLY, key: [text, "2027-01-11T18:00:00"]}
    read = read_native(record, "Tea", "", zone, STARTS_AT)
    assert read is not None
    dates = read.timing.pattern.added if key == "rdate" else read.timing.pattern.left_out
    assert [at.isoformat() for at in dates] == ["2027-01-11T18:00:00"]
