"""Datetimes in records: the common part of RFC 3339 and ISO 8601 (Lexicon, string format ``datetime``).

``T`` and ``Z`` are upper case, seconds and zone are required, ``-00:00`` is forbidden, there can be any number of
fractional digits, and years are 0000 to 9999 after conversion to UTC. A record keeps its original text, because writing
an instant back would change the CID. Python's own datetime has no year 0 and normalizes too much, so this module does
the arithmetic itself.
"""

import re

from at_protocol.failures import Malformed, Misuse

MAX_LENGTH = 64
_SYNTAX = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]+))?(?:Z|([+-])([0-9]{2}):([0-9]{2}))",
)
_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_DAY_SECONDS = 86_400


def _days_before(year: int, month: int, day: int) -> int:
    """Return the days from 1970-01-01 in the proleptic Gregorian calendar. Years start in March so that leap days come
    last.
    """
    shifted_year = year - (month < 3)
    era, of_era = divmod(shifted_year, 400)
    day_of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + day_of_year - 719_468


def _civil(days: int) -> tuple[int, int, int]:
    """Return the year, month and day of a number of days since 1970-01-01: the inverse of ``_days_before``."""
    era, of_era = divmod(days + 719_468, 146_097)
    year = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    day_of_year = of_era - (365 * year + year // 4 - year // 100)
    shifted_month = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * shifted_month + 2) // 5 + 1
    month = (shifted_month + 2) % 12 + 1
    return year + era * 400 + (month < 3), month, day


_FIRST = _days_before(0, 1, 1) * _DAY_SECONDS
_END = _days_before(10_000, 1, 1) * _DAY_SECONDS


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def parse_datetime(text: str) -> int:
    """Return UTC microseconds since 1970 (negative before 1970). Finer digits are cut off. Raises Malformed."""
    if len(text) > MAX_LENGTH:
        raise Malformed("datetime", text, f"longer than {MAX_LENGTH} characters")
    match = _SYNTAX.fullmatch(text)
    if match is None:
        raise Malformed("datetime", text, "not of the form YYYY-MM-DDTHH:MM:SS[.fraction] with Z or ±HH:MM")
    year, month, day, hour, minute, second = (int(group) for group in match.groups()[:6])
    if not 1 <= month <= 12:
        raise Malformed("datetime", text, "no such month")
    if not 1 <= day <= _DAYS[month - 1] + (month == 2 and _is_leap(year)):
        raise Malformed("datetime", text, "no such day in that month")
    if hour > 23 or minute > 59 or second > 59:
        raise Malformed("datetime", text, "no such time of day")
    seconds = _days_before(year, month, day) * _DAY_SECONDS + hour * 3600 + minute * 60 + second
    if match[8] is not None:
        offset_hours, offset_minutes = int(match[9]), int(match[10])
        if offset_hours > 23 or offset_minutes > 59:
            raise Malformed("datetime", text, "no such offset")
        offset = offset_hours * 3600 + offset_minutes * 60
        if match[8] == "-" and offset == 0:
            raise Malformed("datetime", text, "the offset -00:00 says that the zone is unknown; write +00:00 or Z")
        seconds += offset if match[8] == "-" else -offset
    if not _FIRST <= seconds < _END:
        raise Malformed("datetime", text, "outside of the years 0000 to 9999 in UTC")
    return seconds * 1_000_000 + int((match[7] or "0")[:6].ljust(6, "0"))


def format_datetime(microseconds: int) -> str:
    """Return ``YYYY-MM-DDTHH:MM:SS.mmmZ``, the preferred form. Microseconds are cut to milliseconds. Raises Misuse
    outside 0000-9999.
    """
    seconds, rest = divmod(microseconds, 1_000_000)
    if not _FIRST <= seconds < _END:
        raise Misuse(f"{microseconds} microseconds are outside of the years 0000 to 9999")
    days, of_day = divmod(seconds, _DAY_SECONDS)
    year, month, day = _civil(days)
    return (
        f"{year:04}-{month:02}-{day:02}T{of_day // 3600:02}:{of_day // 60 % 60:02}:{of_day % 60:02}.{rest // 1000:03}Z"
    )
