"""All-day events: calendar dates in their time zone, without a time of day. Pure.

They are stored as instants like all others, from midnight to the midnight after the last day, so that all lists and
queries order them alike. A day counts as one day, even if a clock change makes it longer or shorter. People read and
type the last day itself.
"""

from datetime import date, timedelta

from groundwork.clock import DAY, Instant
from openmeet.recurrence.wall_time import local_of, midnight


def at_midnight(text: str) -> str:
    """The wall-clock time at which a typed day begins, whether or not it was typed with a time. Invalid text is
    returned unchanged.
    """
    return f"{text.partition('T')[0]}T00:00"


def first_day(starts_at: Instant, zone: str) -> date:
    """The day that begins at this instant."""
    return local_of(starts_at, zone).date()


def last_day(ends_at: Instant, zone: str) -> date:
    """The last day of an all-day event that ends at this instant, which is a midnight."""
    return (local_of(ends_at, zone) - timedelta(microseconds=1)).date()


def are_whole(starts_at: Instant, ends_at: Instant | None, zone: str) -> bool:
    """Whether both times are midnights in the time zone, as they are for all-day events. If not, somebody chose a time
    of day.
    """
    if starts_at != midnight(first_day(starts_at, zone), zone):
        return False
    return ends_at is None or (ends_at > starts_at and ends_at == midnight(first_day(ends_at, zone), zone))


def end_after(starts_at: Instant, length: int, zone: str, *, is_all_day: bool) -> Instant:
    """The end of an event of this length in microseconds. For all-day events days are counted."""
    if not is_all_day:
        return Instant(starts_at + length)
    return midnight(first_day(starts_at, zone) + timedelta(days=round(length / DAY)), zone)
