"""Numbers, sizes and times as text or ``<time>`` elements, in the current language. Templates call it ``formatting``."""

from datetime import timedelta
from typing import Final

from babel.dates import format_date, format_timedelta
from babel.numbers import format_decimal
from markupsafe import Markup

from aurora_locus.i18n.catalogue import current, gettext, ngettext, pgettext
from groundwork.clock import Instant, to_datetime
from groundwork.i18n.formatting import clock, distance, number

__all__ = ["ago", "day_and_time", "number", "percent", "size", "span"]

_UNITS: Final = ((1_000_000_000, "GB", 1), (1_000_000, "MB", 1), (1_000, "kB", 0))


def size(count: int) -> str:
    """Format a size in bytes: ``512 bytes``, ``13 kB``, ``1.4 MB``. Units are powers of 1000, as for disks."""
    for least, unit, digits in _UNITS:
        if count >= least:
            return f"{_decimal(count / least, digits)} {unit}"
    return ngettext("%(number)s byte", "%(number)s bytes", count, number=number(count))


def percent(share: float) -> str:
    """Format a share as a percentage: ``12.5`` for an eighth."""
    return _decimal(100 * share, 1)


def _decimal(value: float, digits: int) -> str:
    pattern = "#,##0" + (".0" if digits else "")
    return str(format_decimal(round(value, digits), pattern, locale=current().locale))


def day_and_time(instant: Instant) -> Markup:
    """Format an instant as ``<time>``: ``4 July 2026, 18:00 UTC``. It is in UTC, because the server does not know its
    visitors' time zones.
    """
    moment = to_datetime(instant)
    day = format_date(moment, pgettext("pattern of a date", "d MMMM y"), locale=current().locale)
    return _tag(instant, gettext("%(day)s, %(time)s UTC", day=day, time=clock(moment)))


def ago(instant: Instant, now: Instant) -> Markup:
    """Format how long ago an instant was, as ``<time>``: ``3 hours ago``, ``in 2 days``; within a minute ``just now``."""
    return _tag(instant, distance(instant, now) or gettext("just now"))


def span(seconds: float) -> str:
    """Format a duration in the largest unit that fits: ``6 hours``, ``10 minutes``."""
    return str(format_timedelta(timedelta(seconds=seconds), threshold=1, locale=current().locale))


def _tag(instant: Instant, words: str) -> Markup:
    iso = to_datetime(instant).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"
    return Markup('<time datetime="{}">{}</time>').format(iso, words)
