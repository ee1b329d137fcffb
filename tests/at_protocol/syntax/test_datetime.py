"""Datetimes: the calendar, the limits of years, and round trips."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from at_protocol.failures import Malformed, Misuse
from at_protocol.syntax.datetime import format_datetime, parse_datetime


@pytest.mark.parametrize(
    "text, microseconds",
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1969-12-31T23:59:59.999999Z", -1),
        ("1985-04-12T23:20:50.1235678912345Z", 482_196_050_123_567),
        ("1985-04-12T23:20:50.5-07:00", 482_221_250_500_000),
        ("0000-01-01T00:00:00.000Z", -62_167_219_200_000_000),
        ("9999-12-31T23:59:59.999999Z", 253_402_300_799_999_999),
        ("2024-02-29T00:00:00+00:00", 1_709_164_800_000_000),
    ],
)
def test_datetimes_are_read_as_microseconds(text, microseconds):
    assert parse_datetime(text) == microseconds


@pytest.mark.parametrize(
    "text",
    [
        "0000-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-00:01",
        "2026-02-30T00:00:00Z",
        "2023-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "2026-01-01T00:00:00-00:00",
        "2026-01-01T24:00:00Z",
        "2026-12-31T23:59:60Z",
        "2026-01-01T00:00:00+24:00",
        "2026-01-01T00:00:00+00:60",
        "２026-01-01T00:00:00Z",
        "2026-01-01T00:00:00Z\n",
        "2026-01-01T00:00:00." + "1" * 45 + "Z",
    ],
)
def test_invalid_datetimes_are_refused(text):
    with pytest.raises(Malformed):
        parse_datetime(text)


def test_year_2000_was_a_leap_year():
    assert format_datetime(parse_datetime("2000-02-29T12:00:00Z")) == "2000-02-29T12:00:00.000Z"


@given(st.datetimes())
def test_agrees_with_the_standard_library(moment):
    """Between the years 1 and 9999 the arithmetic agrees with Python's."""
    moment = moment.replace(tzinfo=dt.UTC)
    expected = (moment - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1)
    assert parse_datetime(moment.isoformat()) == expected
    assert format_datetime(expected) == moment.strftime("%Y").rjust(4, "0") + moment.strftime("-%m-%dT%H:%M:%S.") + (
        f"{moment.microsecond // 1000:03}Z"
    )


@given(st.integers(-62_167_219_200_000, 253_402_300_799_999))
def test_round_trip(milliseconds):
    text = format_datetime(milliseconds * 1000)
    assert len(text) == 24
    assert parse_datetime(text) == milliseconds * 1000


@pytest.mark.parametrize("microseconds", [-62_167_219_200_000_001, 253_402_300_800_000_000])
def test_years_beyond_four_digits_are_not_written(microseconds):
    with pytest.raises(Misuse):
        format_datetime(microseconds)


@given(st.text() | st.from_regex(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d*)?(Z|[+-]\d\d:\d\d)"))
def test_garbage_is_malformed_and_nothing_else(text):
    try:
        parse_datetime(text)
    except Malformed:
        return
