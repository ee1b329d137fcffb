"""Dates and times as text, always in a named time zone; and the zone that the reader has chosen.

The date patterns (Unicode LDML, part 4, "Date Format Patterns") are translatable messages: German uses ``EEEE, d. MMMM
y``, English (US) ``EEEE, MMMM d, y``. Times of day, names, numbers and the first day of the week are those of the
language's locale (CLDR).
"""

from contextvars import ContextVar
from datetime import date, datetime, timedelta
from functools import cache, lru_cache
from importlib import resources
from typing import Final
from zoneinfo import available_timezones

from babel import Locale, UnknownLocaleError
from babel.core import get_global
from babel.dates import (
    format_date,
    format_interval,
    format_skeleton,
    get_day_names,
    get_month_names,
    get_timezone_location,
)
from markupsafe import Markup

from groundwork.clock import Instant, to_datetime
from groundwork.i18n import formatting
from openmeet.i18n.catalogue import SOURCE, LazyText, current, gettext, pgettext

clock = formatting.clock
clocks = formatting.clocks
iso = formatting.iso
iso_or_none = formatting.iso_or_none
number = formatting.number

_READER_ZONE: ContextVar[str | None] = ContextVar("reader_zone", default=None)

# For dates up to two months ahead, the year is obvious: nobody mistakes next January for last January.
_NEAR: Final = timedelta(days=62)


def day(moment: datetime | date, today: date | None = None) -> str:
    """``Saturday 4 July 2026``. If ``today`` is given, the year is left out for dates in the same year or less than two
    months ahead.
    """
    of = moment.date() if isinstance(moment, datetime) else moment
    if today is not None and not needs_year(of, today):
        return long_day(of)
    return _in_words(of, pgettext("pattern of a date", "EEEE d MMMM y"))


def needs_year(of: date, today: date) -> bool:
    """Whether a date is unclear without its year: it is in another year, and not less than two months ahead."""
    return of.year != today.year and not today <= of <= today + _NEAR


def short_day(moment: datetime | date, today: date | None = None) -> str:
    """A short date: ``Sat 4 Jul``; in German ``Sa., 4. Juli``. If ``today`` is given, the year is added to dates that
    need it.
    """
    of = moment.date() if isinstance(moment, datetime) else moment
    if today is not None and needs_year(of, today):
        return short_date(of)
    return _in_words(of, pgettext("pattern of a date", "EEE d MMM"))


def short_date(moment: datetime | date) -> str:
    """A short date with its year: ``Sat 4 Jul 2026``."""
    return _in_words(moment, pgettext("pattern of a date", "EEE d MMM y"))


def relative_day(of: date, today: date) -> str:
    """``Today`` or ``Tomorrow``; empty for any other day."""
    return {0: gettext("Today"), 1: gettext("Tomorrow")}.get((of - today).days, "")


def long_day(moment: datetime | date) -> str:
    """A date without the year: ``Saturday 4 July``."""
    return _in_words(moment, pgettext("pattern of a date", "EEEE d MMMM"))


def short_days(first: date, last: date) -> str:
    """``23–29 Nov``, or ``30 Nov – 6 Dec``."""
    return str(format_interval(first, last, "MMMd", locale=current().locale))


def month(moment: datetime | date) -> str:
    """The short name of a month, for the date tile: ``Jul``."""
    return _in_words(moment, "MMM").rstrip(".")


def weekdays(first: int = 0) -> list[tuple[str, str]]:
    """The long and short names of the seven weekdays, such as (``Monday``, ``Mon``). ``first`` 0 begins with Monday."""
    long = get_day_names("wide", "stand-alone", locale=current().locale)
    short = get_day_names("abbreviated", "stand-alone", locale=current().locale)
    return [(long[number % 7], short[number % 7]) for number in range(first, first + 7)]


def weekday_in_short(moment: datetime | date) -> str:
    """The short name of a weekday: ``Tue``."""
    return _in_words(moment, "EEE").rstrip(".")


def weekday(number: int) -> str:
    """``Monday`` for 0 to ``Sunday`` for 6."""
    return str(get_day_names("wide", "stand-alone", locale=current().locale)[number])


def country_of_zone(zone: str) -> str | None:
    """The code of the country that a time zone belongs to (CLDR); None if it belongs to none."""
    country: str | None = get_global("zone_territories").get(zone)
    return country if country and country.isalpha() else None


def first_weekday(zone: str) -> int:
    """The first day of the week (CLDR, supplemental week data). 0 is Monday.

    A language with a region, such as English (US), has its own. Otherwise the country of the time zone decides, or the
    language if the zone belongs to no country.
    """
    territory = None if current().region else country_of_zone(zone)
    try:
        locale = Locale.parse(f"und_{territory}" if territory else current().locale)
    except UnknownLocaleError:
        return 0
    return int(locale.first_week_day)


def month_of(number: int) -> str:
    """``January`` for 1 to ``December`` for 12."""
    return str(get_month_names("wide", "stand-alone", locale=current().locale)[number])


def month_name(moment: datetime | date) -> str:
    """The name of a month in the current language: ``July``."""
    return _in_words(moment, "LLLL")


def full_hour(hour: int) -> str:
    """The time of day of a full hour, 0 to 23: ``18:00``; in the United States ``6 PM``."""
    return _full_hour(hour, current().locale)


@cache
def _full_hour(hour: int, locale: str) -> str:
    at = datetime(2000, 1, 1, hour)  # noqa: DTZ001  # only the time of day is used
    has_period = "a" in Locale.parse(locale).time_formats["short"].pattern
    return formatting.unbroken(format_skeleton("h", at, locale=locale)) if has_period else clock(at)


def time_of_day(moment: datetime) -> str:
    """The time within a sentence or next to words: ``18:00``; in German ``18:00 Uhr``."""
    return pgettext("a time of day", "%(time)s", time=clock(moment))


def hours(starts: datetime, ends: datetime) -> str:
    """``18:00–20:00``; in German ``18:00–20:00 Uhr``, in the United States ``6:00–8:00 PM``."""
    start, end = clocks(starts, ends)
    return gettext("%(start)s–%(end)s", start=start, end=end)


def day_and_time(day_words: str, moment: datetime) -> str:
    """``Sat 4 Jul, 18:00``; in German ``Sa., 4. Juli, 18:00 Uhr``."""
    return gettext("%(day)s, %(time)s", day=day_words, time=clock(moment))


@cache
def _city_in(zone: str, locale: str) -> str:
    city = zone.rpartition("/")[2].replace("_", " ")
    # In English, the city's name is the one in the zone's name.
    return (
        city
        if Locale.parse(locale).language == SOURCE
        else get_timezone_location(zone, locale, return_city=True) or city
    )


def _zone_city(zone: str) -> str:
    """``Vienna`` for ``Europe/Vienna``; in German ``Wien``."""
    return _city_in(zone, current().locale)


def zone_label(moment: datetime, zone: str) -> str:
    """The time zone shown next to a time: ``Berlin time``, ``UTC``; ``UTC+5:45`` for a zone that is only an offset."""
    return _offset_label(moment.strftime("%z")) if zone[0] in "+-" else zone_of_series(zone)


def _offset_label(offset: str) -> str:
    """``UTC+5:45`` for ``+0545``."""
    hours, minutes = int(offset[1:3]), offset[3:5]
    return f"UTC{'−' if offset[0] == '-' else '+'}{hours}" + (f":{minutes}" if minutes != "00" else "")


def zone_of_series(zone: str) -> str:
    """The time zone of dates in both summer and winter: ``Berlin time``, ``UTC``, ``UTC+5:45``."""
    if zone[0] in "+-":
        return _offset_label(zone.replace(":", ""))
    return "UTC" if zone == "UTC" else gettext("%(city)s time", city=_zone_city(zone))


def span(starts: datetime, ends: datetime | None, today: date | None = None) -> str:
    """``Saturday 4 July 2026, 18:00–20:00``, or both days if it ends on another day. ``today``: see ``day``."""
    words = day(starts, today)
    if ends is None:
        return gettext("%(day)s, %(time)s", day=words, time=clock(starts))
    if ends.date() == starts.date():
        start, end = clocks(starts, ends)
        return gettext("%(day)s, %(start)s–%(end)s", day=words, start=start, end=end)
    return f"{span(starts, None, today)} – {span(ends, None, today)}"


def days(first: date, last: date, today: date | None = None) -> str:
    """``Saturday 4 July 2026``, or the first and last day if there are several. ``today``: see ``day``."""
    return day(first, today) if first == last else f"{day(first, today)} – {day(last, today)}"


def day_tag(of: date, words: str) -> Markup:
    """``<time datetime="2026-07-04">words</time>``."""
    return Markup('<time datetime="{}">{}</time>').format(of.isoformat(), words)


def time_tag(instant: Instant, words: str) -> Markup:
    """``<time datetime="…Z">words</time>``."""
    return Markup('<time datetime="{}">{}</time>').format(iso(instant), words)


def long_date(instant: Instant) -> str:
    """The day of an instant, such as ``4 July 2026``. For use where neither the time nor the time zone matters."""
    return _in_words(to_datetime(instant), pgettext("pattern of a date", "d MMMM y"))


def _in_words(moment: datetime | date, pattern: str) -> str:
    return _date_in_words(moment.date() if isinstance(moment, datetime) else moment, pattern, current().locale)


@lru_cache(maxsize=4096)
def _date_in_words(of: date, pattern: str, locale: str) -> str:
    """Cached, because the same dates recur on many pages and Babel parses the locale and the pattern on every call."""
    return format_date(of, pattern, locale=locale)


def capital(words: str | LazyText) -> str:
    """The text with its first letter capitalised and the rest unchanged, because German nouns keep their capitals."""
    text = str(words)
    return f"{text[:1].upper()}{text[1:]}"


def ago(instant: Instant, now: Instant) -> str:
    """``3 hours ago``, ``in 2 days``; ``just now`` within a minute."""
    return formatting.distance(instant, now) or gettext("just now")


_REGIONS = frozenset(
    {"Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific"}
)

ZONES: tuple[str, ...] = tuple(
    sorted(name for name in available_timezones() if name == "UTC" or name.partition("/")[0] in _REGIONS)
)


def _offered_zones() -> tuple[str, ...]:
    """The zones of ``zone.tab`` and UTC: one name per place, without former names (``Asia/Calcutta``)."""
    table = resources.files("tzdata").joinpath("zoneinfo", "zone.tab").read_text()
    offered = {line.split("\t")[2] for line in table.splitlines() if not line.startswith("#")}
    return tuple(name for name in ZONES if name == "UTC" or name in offered)


# Forms list these. They accept all of ``ZONES``, and browsers may report a former name.
OFFERED_ZONES: Final = _offered_zones()


def set_reader_zone(zone: str | None) -> None:
    """Set the zone that the reader of the current page has chosen in their settings; None if they have not. Called once
    per request.
    """
    _READER_ZONE.set(zone)


def reader_zone() -> str | None:
    """The zone of the reader; None if it is not known."""
    return _READER_ZONE.get()
