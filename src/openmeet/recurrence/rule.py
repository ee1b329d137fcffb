"""A recurrence rule as a value, parsed from RFC 5545 text and formatted back.

Source: RFC 5545, section 3.3.10. This is stricter than libraries that expand rules: rules on which they would loop or
disagree are refused here, with the name of the part. Frequencies below a day (``SECONDLY`` …) are refused, because
people do not meet that often and two lines of such a rule can keep a server busy for hours.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

from openmeet.recurrence.errors import RecurrenceReason, RuleErrorCode, RuleRefused

DAYS: Final = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
FREQUENCIES: Final = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
_BELOW_A_DAY = frozenset({"SECONDLY", "MINUTELY", "HOURLY"})

MAX_TEXT = 2_000
MAX_INTERVAL = 1_000
MAX_COUNT = 10_000
MAX_A_DAY = 48

_BYDAY = re.compile(r"([+-]?[0-9]{1,2})?(MO|TU|WE|TH|FR|SA|SU)")
# Of INTERVAL and COUNT. Python reads no number of thousands of digits.
_MAX_DIGITS = 9

_NUMBER = re.compile(r"[+-]?[0-9]{1,5}")
_UNTIL = re.compile(r"([0-9]{8})(?:T([0-9]{6})(Z)?)?")
# Calendars write 99991231T235959Z for "never". A day before it, UNTIL can be converted to every time zone.
_FIRST_UNTIL: Final = datetime(1, 1, 2)  # noqa: DTZ001  # naive, see Until
_LAST_UNTIL: Final = datetime(9999, 12, 30)  # noqa: DTZ001


@dataclass(frozen=True, slots=True, order=True)
class Weekday:
    """A weekday in BYDAY. ``day`` counts from Monday, 0. ``nth`` is the ordinal within the month or year (``-1``: the
    last; 0: every one).
    """

    day: int
    nth: int = 0


@dataclass(frozen=True, slots=True)
class Until:
    """The last moment that counts. ``at`` is naive: UTC if ``is_utc``, otherwise in the series' time zone. For a date,
    it is midnight.
    """

    at: datetime
    is_date: bool = False
    is_utc: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """A checked rule. Lists are sorted and have no duplicates, so that equivalent rules are equal values with the same
    text.
    """

    freq: str
    interval: int = 1
    count: int | None = None
    until: Until | None = None
    by_month: tuple[int, ...] = ()
    by_week: tuple[int, ...] = ()
    by_year_day: tuple[int, ...] = ()
    by_month_day: tuple[int, ...] = ()
    by_day: tuple[Weekday, ...] = ()
    by_hour: tuple[int, ...] = ()
    by_minute: tuple[int, ...] = ()
    by_second: tuple[int, ...] = ()
    by_position: tuple[int, ...] = ()
    week_start: int = 0

    def __str__(self) -> str:
        return format_rule(self)


def parse_rule(text: str) -> Rule:
    """Parse the value of an RRULE property (the prefix ``RRULE:`` is accepted). Raises RuleRefused."""
    if len(text) > MAX_TEXT:
        raise RuleRefused(RuleErrorCode.TOO_LONG, "", RecurrenceReason.TOO_LONG, most=MAX_TEXT)
    if not text.strip():
        raise RuleRefused(RuleErrorCode.MISSING_FREQ, "FREQ", RecurrenceReason.EMPTY)
    parts = _parts(text.strip())
    freq = parts.pop("FREQ", None)
    if freq is None:
        raise RuleRefused(RuleErrorCode.MISSING_FREQ, "FREQ", RecurrenceReason.FREQUENCY_MISSING)
    if freq in _BELOW_A_DAY:
        raise RuleRefused(RuleErrorCode.UNSUPPORTED_FREQ, "FREQ", RecurrenceReason.TOO_FREQUENT, frequency=freq)
    if freq not in FREQUENCIES:
        raise RuleRefused(
            RuleErrorCode.UNSUPPORTED_FREQ, "FREQ", RecurrenceReason.UNKNOWN_FREQUENCY, choices=", ".join(FREQUENCIES)
        )
    read: dict[str, object] = {"freq": freq}
    for name, value in parts.items():
        if name not in _READERS:
            raise RuleRefused(RuleErrorCode.UNKNOWN_PART, name, RecurrenceReason.UNKNOWN_PART, text=name[:30])
        attribute, reader = _READERS[name]
        read[attribute] = reader(value)
    return checked(Rule(**read))  # type: ignore[arg-type]  # each reader makes what its attribute is


def _parts(text: str) -> dict[str, str]:
    body = text[6:] if text[:6].upper() == "RRULE:" else text
    parts: dict[str, str] = {}
    for piece in body.upper().split(";"):
        name, equals, value = piece.partition("=")
        if not equals or not value:
            raise RuleRefused(RuleErrorCode.UNKNOWN_PART, name[:30], RecurrenceReason.MALFORMED_PART, text=piece[:60])
        if name in parts:
            raise RuleRefused(RuleErrorCode.REPEATED_PART, name, RecurrenceReason.REPEATED_PART, rule_part=name)
        parts[name] = value
    return parts


def _numbers(name: str, code: RuleErrorCode, low: int, high: int, *, signed: bool) -> Callable[[str], tuple[int, ...]]:
    reason = RecurrenceReason.MALFORMED_SIGNED_NUMBER if signed else RecurrenceReason.MALFORMED_NUMBER

    def read(value: str) -> tuple[int, ...]:
        numbers = set()
        for text in value.split(","):
            number = int(text) if _NUMBER.fullmatch(text) else None
            if number is None or not (low <= number <= high or (signed and low <= -number <= high)):
                raise RuleRefused(code, name, reason, rule_part=name, text=text[:20], least=low, most=high)
            numbers.add(number)
        return tuple(sorted(numbers))

    return read


def _one(name: str, code: RuleErrorCode, low: int, high: int) -> Callable[[str], int]:
    def read(value: str) -> int:
        is_number = value.isascii() and value.isdigit() and len(value) <= _MAX_DIGITS
        if not is_number or not low <= int(value) <= high:
            raise RuleRefused(code, name, RecurrenceReason.NUMBER_OUT_OF_RANGE, rule_part=name, least=low, most=high)
        return int(value)

    return read


def _weekdays(value: str) -> tuple[Weekday, ...]:
    weekdays = set()
    for text in value.split(","):
        match = _BYDAY.fullmatch(text)
        nth = int(match[1] or 0) if match else 0
        if match is None or (match[1] and not 1 <= abs(nth) <= 53):
            raise RuleRefused(RuleErrorCode.BAD_BYDAY, "BYDAY", RecurrenceReason.MALFORMED_WEEKDAY, text=text[:20])
        weekdays.add(Weekday(DAYS.index(match[2]), nth))
    return tuple(sorted(weekdays))


def _week_start(value: str) -> int:
    if value not in DAYS:
        raise RuleRefused(RuleErrorCode.BAD_WKST, "WKST", RecurrenceReason.MALFORMED_WEEK_START)
    return DAYS.index(value)


def _until(value: str) -> Until:
    match = _UNTIL.fullmatch(value)
    refused = RuleRefused(RuleErrorCode.BAD_UNTIL, "UNTIL", RecurrenceReason.MALFORMED_UNTIL, text=value[:20])
    if match is None:
        raise refused
    try:
        at = datetime.strptime(match[1] + (match[2] or "000000"), "%Y%m%d%H%M%S")  # noqa: DTZ007  # naive, see Until
    except ValueError:
        raise refused from None
    return Until(min(max(at, _FIRST_UNTIL), _LAST_UNTIL), is_date=match[2] is None, is_utc=match[3] is not None)


_READERS: Final[Mapping[str, tuple[str, Callable[[str], object]]]] = {
    "INTERVAL": ("interval", _one("INTERVAL", RuleErrorCode.BAD_INTERVAL, 1, MAX_INTERVAL)),
    "COUNT": ("count", _one("COUNT", RuleErrorCode.BAD_COUNT, 1, MAX_COUNT)),
    "UNTIL": ("until", _until),
    "BYMONTH": ("by_month", _numbers("BYMONTH", RuleErrorCode.BAD_BYMONTH, 1, 12, signed=False)),
    "BYWEEKNO": ("by_week", _numbers("BYWEEKNO", RuleErrorCode.BAD_BYWEEKNO, 1, 53, signed=True)),
    "BYYEARDAY": ("by_year_day", _numbers("BYYEARDAY", RuleErrorCode.BAD_BYYEARDAY, 1, 366, signed=True)),
    "BYMONTHDAY": ("by_month_day", _numbers("BYMONTHDAY", RuleErrorCode.BAD_BYMONTHDAY, 1, 31, signed=True)),
    "BYDAY": ("by_day", _weekdays),
    "BYHOUR": ("by_hour", _numbers("BYHOUR", RuleErrorCode.BAD_BYHOUR, 0, 23, signed=False)),
    "BYMINUTE": ("by_minute", _numbers("BYMINUTE", RuleErrorCode.BAD_BYMINUTE, 0, 59, signed=False)),
    "BYSECOND": ("by_second", _numbers("BYSECOND", RuleErrorCode.BAD_BYSECOND, 0, 59, signed=False)),
    "BYSETPOS": ("by_position", _numbers("BYSETPOS", RuleErrorCode.BAD_BYSETPOS, 1, 366, signed=True)),
    "WKST": ("week_start", _week_start),
}


def checked(rule: Rule) -> Rule:
    """Return the rule unchanged. Raises RuleRefused if its parts contradict each other (the table of RFC 5545, section
    3.3.10).
    """
    if rule.count is not None and rule.until is not None:
        raise RuleRefused(RuleErrorCode.COUNT_AND_UNTIL, "UNTIL", RecurrenceReason.TWO_ENDS)
    if any(day.nth for day in rule.by_day) and (rule.freq not in {"MONTHLY", "YEARLY"} or rule.by_week):
        raise RuleRefused(
            RuleErrorCode.BYDAY_ORDINAL_NOT_ALLOWED,
            "BYDAY",
            RecurrenceReason.NTH_WEEKDAY_NEEDS_MONTH,
        )
    if rule.freq == "MONTHLY" and any(abs(day.nth) > 5 for day in rule.by_day):
        raise RuleRefused(RuleErrorCode.BAD_BYDAY, "BYDAY", RecurrenceReason.NTH_WEEKDAY_TOO_HIGH)
    for name, is_given, allowed in (
        ("BYMONTHDAY", rule.by_month_day, {"DAILY", "MONTHLY", "YEARLY"}),
        ("BYYEARDAY", rule.by_year_day, {"YEARLY"}),
        ("BYWEEKNO", rule.by_week, {"YEARLY"}),
    ):
        if is_given and rule.freq not in allowed:
            raise RuleRefused(
                RuleErrorCode.PART_NOT_ALLOWED,
                name,
                RecurrenceReason.PART_NOT_ALLOWED,
                rule_part=name,
                frequency=rule.freq,
            )
    limits = (rule.by_month, rule.by_week, rule.by_year_day, rule.by_month_day, rule.by_day)
    times = (rule.by_hour, rule.by_minute, rule.by_second)
    if rule.by_position and not any((*limits, *times)):
        raise RuleRefused(RuleErrorCode.BYSETPOS_ALONE, "BYSETPOS", RecurrenceReason.POSITION_ALONE)
    a_day = max(1, len(rule.by_hour)) * max(1, len(rule.by_minute)) * max(1, len(rule.by_second))
    if a_day > MAX_A_DAY:
        raise RuleRefused(
            RuleErrorCode.TOO_MANY_A_DAY, "BYHOUR", RecurrenceReason.TOO_MANY_A_DAY, number=a_day, most=MAX_A_DAY
        )
    return rule


def format_rule(rule: Rule) -> str:
    """The rule's canonical text, with its parts in the order in which people read them."""
    parts = [f"FREQ={rule.freq}"]
    if rule.interval != 1:
        parts.append(f"INTERVAL={rule.interval}")
    for name, numbers in (
        ("BYMONTH", rule.by_month),
        ("BYWEEKNO", rule.by_week),
        ("BYYEARDAY", rule.by_year_day),
        ("BYMONTHDAY", rule.by_month_day),
    ):
        if numbers:
            parts.append(f"{name}={','.join(map(str, numbers))}")
    if rule.by_day:
        parts.append("BYDAY=" + ",".join(f"{day.nth or ''}{DAYS[day.day]}" for day in rule.by_day))
    for name, numbers in (
        ("BYHOUR", rule.by_hour),
        ("BYMINUTE", rule.by_minute),
        ("BYSECOND", rule.by_second),
        ("BYSETPOS", rule.by_position),
    ):
        if numbers:
            parts.append(f"{name}={','.join(map(str, numbers))}")
    if rule.count is not None:
        parts.append(f"COUNT={rule.count}")
    if rule.until is not None:
        parts.append(f"UNTIL={format_until(rule.until)}")
    if rule.week_start:
        parts.append(f"WKST={DAYS[rule.week_start]}")
    return ";".join(parts)


def format_until(until: Until) -> str:
    """``20261224``, ``20261224T170000`` or ``20261224T170000Z``."""
    if until.is_date:
        return until.at.strftime("%Y%m%d")
    return until.at.strftime("%Y%m%dT%H%M%S") + ("Z" if until.is_utc else "")


def until_date(day: date) -> Until:
    """UNTIL with a date; that day is included."""
    return Until(datetime(day.year, day.month, day.day), is_date=True)  # noqa: DTZ001  # wall time is naive here


def until_instant(moment: datetime) -> Until:
    """UNTIL with an aware datetime; that moment is included."""
    return Until(moment.astimezone(UTC).replace(tzinfo=None, microsecond=0), is_utc=True)
