"""Recurrence rules as JSON: an invalid object is refused, and never read as a different rule."""

from typing import Any

import pytest

from openmeet.recurrence.errors import RuleRefused
from openmeet.recurrence.structured import from_json

WEEKLY: dict[str, Any] = {"frequency": "weekly"}


@pytest.mark.parametrize(
    ("changes", "code", "part"),
    [
        ({"byDay": [{"day": "tu", "nth": 1}]}, "UNKNOWN_PART", "nth"),
        ({"byDay": [{"day": "tu", "@type": "NDay"}]}, "UNKNOWN_PART", "@type"),
        ({"byDay": [{"day": "tu;INTERVAL=3"}]}, "BAD_BYDAY", "byDay"),
        ({"byDay": [{"day": "tu,th"}]}, "BAD_BYDAY", "byDay"),
        ({"byDay": [{"day": "2tu"}]}, "BAD_BYDAY", "byDay"),
        ({"byDay": [{"day": ""}]}, "BAD_BYDAY", "byDay"),
        ({"byDay": ["tu"]}, "BAD_BYDAY", "byDay"),
        ({"byDay": [{"day": "tu", "nthOfPeriod": "2"}]}, "BAD_BYDAY", "nthOfPeriod"),
        ({"byDay": [{"day": "tu", "nthOfPeriod": True}]}, "BAD_BYDAY", "nthOfPeriod"),
        ({"byDay": [{"day": "tu", "nthOfPeriod": None}]}, "BAD_BYDAY", "nthOfPeriod"),
        ({"byDay": [{"day": "tu", "nthOfPeriod": 1.5}]}, "BAD_BYDAY", "nthOfPeriod"),
        ({"frequency": "weekly;COUNT=3"}, "UNSUPPORTED_FREQ", "frequency"),
        ({"frequency": 7}, "UNSUPPORTED_FREQ", "frequency"),
        ({"interval": "2;COUNT=3"}, "BAD_INTERVAL", "interval"),
        ({"interval": True}, "BAD_INTERVAL", "interval"),
        ({"count": 2.0}, "BAD_COUNT", "count"),
        ({"count": None}, "BAD_COUNT", "count"),
        ({"until": "20261224;INTERVAL=3"}, "BAD_UNTIL", "until"),
        ({"until": 20261224}, "BAD_UNTIL", "until"),
        ({"byMonth": ["1;INTERVAL=3"]}, "BAD_BYMONTH", "byMonth"),
        ({"byMonth": ["1,2"]}, "BAD_BYMONTH", "byMonth"),
        ({"byMonthDay": [[1]]}, "BAD_BYMONTHDAY", "byMonthDay"),
        ({"bySetPosition": [True], "byDay": [{"day": "tu"}]}, "BAD_BYSETPOS", "bySetPosition"),
        ({"byHour": 7}, "UNKNOWN_PART", "byHour"),
        ({"firstDayOfWeek": "su;INTERVAL=3"}, "BAD_WKST", "firstDayOfWeek"),
        ({"firstDayOfWeek": None}, "BAD_WKST", "firstDayOfWeek"),
        ({"@type": "RecurrenceRule"}, "UNKNOWN_PART", "@type"),
    ],
    ids=str,
)
def test_invalid_objects_are_refused(changes: dict[str, Any], code: str, part: str) -> None:
    """Unknown members are not ignored, and a string cannot add a part to the rule."""
    with pytest.raises(RuleRefused) as refused:
        from_json(WEEKLY | changes)
    assert (refused.value.code, refused.value.part) == (code, part)


def test_days_are_read_in_any_case() -> None:
    """As in the text form of RFC 5545."""
    assert str(from_json({"frequency": "MONTHLY", "byDay": [{"day": "Tu", "nthOfPeriod": -1}]})) == (
        "FREQ=MONTHLY;BYDAY=-1TU"
    )
