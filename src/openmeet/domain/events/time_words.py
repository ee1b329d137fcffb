"""Dates and times of an event in words: with time of day and zone, or as days for all-day events. Pure."""

from datetime import date

from markupsafe import Markup

from groundwork.clock import Instant
from openmeet.domain.events import all_day
from openmeet.domain.events.disclosure import PrivateDetails
from openmeet.domain.events.model import Details, Event
from openmeet.domain.notifications.model import NotificationDetails
from openmeet.i18n import formatting
from openmeet.recurrence import wall_time

TO_BE_ANNOUNCED = "Date to be announced"


def days_of(event: Event | Details) -> tuple[date, date] | None:
    """First and last day of an all-day event; None for all others."""
    if not event.is_all_day or event.starts_at is None:
        return None
    first = all_day.first_day(event.starts_at, event.time_zone)
    return first, first if event.ends_at is None else all_day.last_day(event.ends_at, event.time_zone)


def span_words(event: Event | Details) -> str:
    """``Saturday 4 July 2026, 18:00–20:00``; ``Saturday 4 July 2026 – Sunday 5 July 2026``; without the zone."""
    if event.starts_at is None:
        return TO_BE_ANNOUNCED
    days = days_of(event)
    if days is not None:
        return formatting.days(*days)
    starts = wall_time.local_of(event.starts_at, event.time_zone)
    return formatting.span(
        starts, None if event.ends_at is None else wall_time.local_of(event.ends_at, event.time_zone)
    )


def start_words(event: Event | Details) -> str:
    """The start with its zone: ``Saturday 4 July 2026, 18:00 Berlin time (UTC+2)``; a day needs none."""
    if event.starts_at is None:
        return TO_BE_ANNOUNCED
    days = days_of(event)
    if days is not None:
        return formatting.days(*days)
    starts = wall_time.local_of(event.starts_at, event.time_zone)
    return f"{formatting.span(starts, None)} {formatting.zone_words(starts, event.time_zone)}"


def zone_words(event: Event | Details) -> str:
    """The zone after a time of day; empty for days."""
    if event.starts_at is None or event.is_all_day:
        return ""
    return formatting.zone_words(wall_time.local_of(event.starts_at, event.time_zone), event.time_zone)


def clock_words(event: Event | Details) -> str:
    """Under a day's heading: ``18:00–20:00``, ``18:00 – Sun 5 July``, ``All day``, ``Until Sun 5 July``."""
    if event.starts_at is None:
        return "To be announced"
    days = days_of(event)
    if days is not None:
        return "All day" if days[0] == days[1] else f"Until {formatting.short_day(days[1])}"
    starts = wall_time.local_of(event.starts_at, event.time_zone)
    words = formatting.clock(starts)
    if event.ends_at is not None:
        ends = wall_time.local_of(event.ends_at, event.time_zone)
        words += f"–{formatting.clock(ends)}" if ends.date() == starts.date() else f" – {formatting.short_day(ends)}"
    return words


def tagged(event: Event | Details) -> Markup | str:
    """``span_words`` with ``<time>`` around each end."""
    if event.starts_at is None:
        return ""
    days = days_of(event)
    if days is not None:
        first = formatting.day_tag(days[0], formatting.day(days[0]))
        return first if days[0] == days[1] else first + " – " + formatting.day_tag(days[1], formatting.day(days[1]))
    starts = wall_time.local_of(event.starts_at, event.time_zone)
    when = formatting.time_tag(event.starts_at, f"{formatting.day(starts)}, {formatting.clock(starts)}")
    if event.ends_at is None:
        return when
    ends = wall_time.local_of(event.ends_at, event.time_zone)
    is_same_day = ends.date() == starts.date()
    words = formatting.clock(ends) if is_same_day else f"{formatting.day(ends)}, {formatting.clock(ends)}"
    return when + ("–" if is_same_day else " – ") + formatting.time_tag(event.ends_at, words)


def tag_of_start(event: Event | Details, words: str) -> Markup | str:
    """``<time>`` around words about the start: an instant, or a day."""
    if event.starts_at is None:
        return words
    days = days_of(event)
    return formatting.time_tag(Instant(event.starts_at), words) if days is None else formatting.day_tag(days[0], words)


def others_words(about: NotificationDetails) -> str:
    """``Wednesday 13 January 2027, 20:00; Wednesday 20 January 2027, 20:00; and 3 more``: further dates of a
    notification.
    """
    named = []
    for one in about.others:
        local = wall_time.local_of(one.at, one.time_zone)
        named.append(formatting.day(local) if one.is_day else formatting.span(local, None))
    left = about.more - len(named)
    return "; ".join([*named, *([f"and {left} more"] if left > 0 else [])])


def changed_too(about: NotificationDetails) -> str:
    """The sentence on further dates in a change notification: that these moved is said only where they did."""
    return "Other dates changed, too, and are now on" if about.others_moved else "Other dates changed, too"


def rule_words(about: NotificationDetails) -> str:
    """``From now on: every second Tuesday at 18:00.``; empty where the notification is about no rule."""
    return f"From now on: {about.rule[:1].lower()}{about.rule[1:]}." if about.rule else ""


def join_from_words(event: Event, private: PrivateDetails) -> str:
    """When the join link will be shown, for somebody who still has to wait; empty for everybody else."""
    if private.join_from is None:
        return ""
    local = wall_time.local_of(private.join_from, event.time_zone)
    return f"{formatting.span(local, None)} {formatting.zone_words(local, event.time_zone)}"
