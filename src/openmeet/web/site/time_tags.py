"""When an event takes place, as HTML: the texts of ``domain/events/time_and_place.py`` with ``<time>``. Pure."""

from markupsafe import Markup, escape

from groundwork.clock import Instant
from openmeet.domain.events.model import Details, Event
from openmeet.domain.events.time_and_place import days_of, local_time, today_of
from openmeet.i18n import formatting
from openmeet.i18n.catalogue import gettext


def span_tags(event: Event | Details, now: Instant | None = None) -> Markup | str:
    """``span_label`` with ``<time>`` around each end; empty without a date. With ``now``, the year is left out if it is
    obvious.
    """
    if event.starts_at is None:
        return ""
    today = today_of(event, now)
    days = days_of(event)
    if days is not None:
        first, last = (formatting.day_tag(one, formatting.day(one, today)) for one in days)
        return first if days[0] == days[1] else first + " – " + last
    starts = local_time(event, event.starts_at)
    opening = formatting.span(starts, None, today)
    if event.ends_at is None:
        return formatting.time_tag(event.starts_at, opening)
    ends = local_time(event, event.ends_at)
    if ends.date() != starts.date():
        closing = formatting.span(ends, None, today)
        return formatting.time_tag(event.starts_at, opening) + " – " + formatting.time_tag(event.ends_at, closing)
    start, end = formatting.clocks(starts, ends)
    return _range_tags(event.starts_at, f"{formatting.day(starts, today)}, {start}", event.ends_at, end)


def span_tags_in_two_lines(event: Event | Details, now: Instant) -> tuple[Markup | str, Markup | str]:
    """``span_tags`` in two lines: the day, and the time of day. The second line is empty for all-day events and for
    events of several days.
    """
    if event.starts_at is None or event.is_all_day:
        return span_tags(event, now), ""
    starts = local_time(event, event.starts_at)
    day = formatting.day_tag(starts.date(), formatting.day(starts, today_of(event, now)))
    if event.ends_at is None:
        return day, formatting.time_tag(event.starts_at, formatting.clock(starts))
    ends = local_time(event, event.ends_at)
    if ends.date() != starts.date():
        return span_tags(event, now), ""
    start, end = formatting.clocks(starts, ends)
    return day, _range_tags(event.starts_at, start, event.ends_at, end)


def start_tag(event: Event | Details, words: str) -> Markup | str:
    """Wrap text about the start in ``<time>``: an instant, or a day."""
    if event.starts_at is None:
        return words
    days = days_of(event)
    return formatting.time_tag(Instant(event.starts_at), words) if days is None else formatting.day_tag(days[0], words)


def _range_tags(starts_at: Instant, start: str, ends_at: Instant, end: str) -> Markup:
    return escape(gettext("%(start)s–%(end)s", start="{start}", end="{end}")).format(
        start=formatting.time_tag(starts_at, start), end=formatting.time_tag(ends_at, end)
    )
