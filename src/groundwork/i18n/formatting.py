"""Dates, numbers and sizes as text, in the current language."""

from datetime import timedelta

from babel.dates import format_timedelta

from groundwork.clock import Instant, to_datetime
from groundwork.i18n import catalogue
from groundwork.i18n.catalogue import current_locale

number = catalogue.number


def iso(instant: Instant) -> str:
    """Format an instant for ``<time datetime>`` and JSON: UTC with ``Z``, and a fraction only if there is one."""
    utc_datetime = to_datetime(instant)
    precision = "milliseconds" if instant % 1_000_000 else "seconds"
    return utc_datetime.replace(tzinfo=None).isoformat(timespec=precision) + "Z"


def distance(instant: Instant, now: Instant) -> str:
    """Format the distance of an instant from now: ``3 hours ago``, ``in 2 days``.

    Empty within a minute, because languages have special words for that.
    """
    difference = to_datetime(instant) - to_datetime(now)
    if abs(difference) < timedelta(minutes=1):
        return ""
    return str(format_timedelta(difference, add_direction=True, locale=current_locale()))
