"""Dates, numbers and sizes as text, in the current language."""

from datetime import datetime, time, timedelta
from functools import lru_cache
from typing import Final

from babel.dates import format_time, format_timedelta

from groundwork.clock import Instant, to_datetime
from groundwork.i18n import catalogue
from groundwork.i18n.catalogue import current_locale

number = catalogue.number

_NO_BREAK_SPACE: Final = "\u00a0"


def clock(moment: datetime | time) -> str:
    """The time of day, to the minute: ``18:00``; in the United States ``6:00 PM``."""
    return _clock(moment.hour, moment.minute, current_locale())


def clocks(starts: datetime, ends: datetime) -> tuple[str, str]:
    """Both ends of a range of time: ``18:00`` and ``20:00``; in the United States ``6:00`` and ``8:00 PM``, and
    ``10:00 AM`` and ``1:00 PM``.
    """
    first, last = clock(starts), clock(ends)
    digits, _, period = first.partition(_NO_BREAK_SPACE)
    has_one_period = period and starts.date() == ends.date() and last.endswith(_NO_BREAK_SPACE + period)
    return (digits if has_one_period else first), last


@lru_cache(maxsize=4096)
def _clock(hour: int, minute: int, locale: str) -> str:
    """Cached, because Babel parses the locale and the pattern on every call."""
    return unbroken(format_time(time(hour, minute), "short", locale=locale))


def unbroken(words: str) -> str:
    """A time of day by CLDR, on one line. CLDR puts narrow spaces before AM and PM, which many fonts and older mail
    programs lack.
    """
    return words.replace("\u202f", _NO_BREAK_SPACE).replace(" ", _NO_BREAK_SPACE)


def iso(instant: Instant) -> str:
    """Format an instant for ``<time datetime>`` and JSON: UTC with ``Z``, and a fraction only if there is one."""
    utc_datetime = to_datetime(instant)
    precision = "milliseconds" if instant % 1_000_000 else "seconds"
    return utc_datetime.replace(tzinfo=None).isoformat(timespec=precision) + "Z"


def iso_or_none(instant: Instant | None) -> str | None:
    """``iso``; None for None."""
    return None if instant is None else iso(instant)


def distance(instant: Instant, now: Instant) -> str:
    """Format the distance of an instant from now: ``3 hours ago``, ``in 2 days``.

    Empty within a minute, because languages have special words for that.
    """
    difference = to_datetime(instant) - to_datetime(now)
    if abs(difference) < timedelta(minutes=1):
        return ""
    return str(format_timedelta(difference, add_direction=True, locale=current_locale()))
