"""Dates and times as text, always in a named zone."""

from datetime import date, datetime, timedelta
from functools import cache
from zoneinfo import available_timezones

from babel.dates import format_date, format_time, format_timedelta, get_timezone_name
from markupsafe import Markup

from groundwork.clock import Instant, to_datetime

LOCALE = "en_GB"


def iso(instant: Instant) -> str:
    """For ``<time datetime>`` and JSON: UTC with ``Z``, no fraction unless there is one."""
    moment = to_datetime(instant)
    precision = "milliseconds" if instant % 1_000_000 else "seconds"
    return moment.replace(tzinfo=None).isoformat(timespec=precision) + "Z"


def day(moment: datetime | date) -> str:
    """``Saturday 4 July 2026``."""
    return format_date(moment, "EEEE d MMMM y", locale=LOCALE)


def short_day(moment: datetime | date) -> str:
    """``Sat 4 July``."""
    return format_date(moment, "EEE d MMMM", locale=LOCALE)


def month(moment: datetime | date) -> str:
    """``Jul``: for the date tile."""
    return format_date(moment, "MMM", locale=LOCALE).rstrip(".")


def month_name(moment: datetime | date) -> str:
    """``July``."""
    return format_date(moment, "LLLL", locale=LOCALE)


def clock(moment: datetime) -> str:
    """``18:00``."""
    return format_time(moment, "HH:mm", locale=LOCALE)


@cache
def _zone_city(zone: str) -> str:
    return zone.rpartition("/")[2].replace("_", " ")


def zone_words(moment: datetime, zone: str) -> str:
    """The zone beside a time: ``Berlin time (UTC+2)``, ``UTC``."""
    if zone == "UTC":
        return "UTC"
    offset = moment.strftime("%z")
    hours, minutes = int(offset[1:3]), offset[3:5]
    words = "UTC" + (f"{'−' if offset[0] == '-' else '+'}{hours}" + (f":{minutes}" if minutes != "00" else ""))
    return words if zone[0] in "+-" else f"{_zone_city(zone)} time ({words})"


def zone_name(zone: str) -> str:
    """The zone in the list of zones: ``Europe/Berlin – Central European Time``."""
    if zone == "UTC":
        return "UTC"
    return f"{zone.replace('_', ' ')} – {get_timezone_name(zone, width='long', locale=LOCALE)}"


def span(starts: datetime, ends: datetime | None) -> str:
    """``Saturday 4 July 2026, 18:00–20:00``, or both days when it ends on another."""
    if ends is None:
        return f"{day(starts)}, {clock(starts)}"
    if ends.date() == starts.date():
        return f"{day(starts)}, {clock(starts)}–{clock(ends)}"
    return f"{day(starts)}, {clock(starts)} – {day(ends)}, {clock(ends)}"


def days(first: date, last: date) -> str:
    """``Saturday 4 July 2026``, or both days where there are several."""
    return day(first) if first == last else f"{day(first)} – {day(last)}"


def day_tag(of: date, words: str) -> Markup:
    """``<time datetime="2026-07-04">words</time>``."""
    return Markup('<time datetime="{}">{}</time>').format(of.isoformat(), words)


def time_tag(instant: Instant, words: str) -> Markup:
    """``<time datetime="…Z">words</time>``."""
    return Markup('<time datetime="{}">{}</time>').format(iso(instant), words)


def date_words(instant: Instant) -> str:
    """``4 July 2026``: where the day suffices and the zone does not matter."""
    return format_date(to_datetime(instant), "d MMMM y", locale=LOCALE)


def ago(instant: Instant, now: Instant) -> str:
    """``3 hours ago``, ``in 2 days``; within a minute ``just now``."""
    apart = to_datetime(instant) - to_datetime(now)
    if abs(apart) < timedelta(minutes=1):
        return "just now"
    return format_timedelta(apart, add_direction=True, locale=LOCALE)


_REGIONS = frozenset(
    {"Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific"}
)

ZONES: tuple[str, ...] = tuple(
    sorted(name for name in available_timezones() if name == "UTC" or name.partition("/")[0] in _REGIONS)
)
