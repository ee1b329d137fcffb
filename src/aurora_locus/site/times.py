"""Times as ``<time>`` elements, in the current language."""

from datetime import timedelta

from babel.dates import format_datetime, format_timedelta
from markupsafe import Markup

from aurora_locus.i18n.catalogue import current, gettext, pgettext
from groundwork.clock import Instant, to_datetime
from groundwork.i18n import formatting


def day_and_time(instant: Instant) -> Markup:
    """Format an instant as ``<time>``: ``4 July 2026, 18:00 UTC``. It is in UTC, because the server does not know its
    visitors' time zones.
    """
    pattern = pgettext("pattern of a date", "d MMMM y, HH:mm 'UTC'")
    return _tag(instant, format_datetime(to_datetime(instant), pattern, locale=current().locale))


def ago(instant: Instant, now: Instant) -> Markup:
    """Format how long ago an instant was, as ``<time>``: ``3 hours ago``, ``in 2 days``; within a minute ``just now``."""
    return _tag(instant, formatting.distance(instant, now) or gettext("just now"))


def span(seconds: float) -> str:
    """Format a duration in the largest unit that fits: ``6 hours``, ``10 minutes``."""
    return str(format_timedelta(timedelta(seconds=seconds), threshold=1, locale=current().locale))


def _tag(instant: Instant, words: str) -> Markup:
    iso = to_datetime(instant).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"
    return Markup('<time datetime="{}">{}</time>').format(iso, words)
