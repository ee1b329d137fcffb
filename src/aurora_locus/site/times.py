"""Times as ``<time>`` elements."""

from datetime import timedelta

from babel.dates import format_datetime, format_timedelta
from markupsafe import Markup

from groundwork.clock import Instant, to_datetime

LOCALE = "en_GB"


def day_and_time(instant: Instant) -> Markup:
    """``4 July 2026, 18:00 UTC``, as ``<time>``: the server does not know its visitors' time zones."""
    return _tag(instant, format_datetime(to_datetime(instant), "d MMMM y, HH:mm 'UTC'", locale=LOCALE))


def ago(instant: Instant, now: Instant) -> Markup:
    """``3 hours ago``, ``in 2 days``, as ``<time>``; within a minute ``just now``."""
    apart = to_datetime(instant) - to_datetime(now)
    is_now = abs(apart) < timedelta(minutes=1)
    return _tag(instant, "just now" if is_now else format_timedelta(apart, add_direction=True, locale=LOCALE))


def _tag(instant: Instant, words: str) -> Markup:
    iso = to_datetime(instant).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"
    return Markup('<time datetime="{}">{}</time>').format(iso, words)
