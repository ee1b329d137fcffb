"""Events of whole days: dates on the calendar of their zone, without a time of day. Pure.

Kept as instants like all others, from midnight to the midnight after the last day, so that every list and every query orders
them alike. A day that clocks make shorter or longer is a day. What people read and type is the last day itself.
"""

from datetime import date, datetime, time, timedelta

from groundwork.clock import DAY, Instant
from openmeet.recurrence import wall_time


def midnight(day: date, zone: str) -> Instant:
    """When a day begins; where clocks skip midnight, at the first moment that there is."""
    return wall_time.instant_of(datetime.combine(day, time()), zone)


def at_midnight(text: str) -> str:
    """A typed day, with a time of day or without, as the wall-clock time at which it begins. What is no day stays none."""
    return f"{text.partition('T')[0]}T00:00"


def first_day(starts_at: Instant, zone: str) -> date:
    """The day that begins at this instant."""
    return wall_time.local_of(starts_at, zone).date()


def last_day(ends_at: Instant, zone: str) -> date:
    """The last day of what ends at this instant, a midnight."""
    return (wall_time.local_of(ends_at, zone) - timedelta(microseconds=1)).date()


def are_whole(starts_at: Instant, ends_at: Instant | None, zone: str) -> bool:
    """Whether the times are what whole days of the zone are kept as: whoever moves one to an hour means the hour."""
    if starts_at != midnight(first_day(starts_at, zone), zone):
        return False
    return ends_at is None or (ends_at > starts_at and ends_at == midnight(first_day(ends_at, zone), zone))


def end_after(starts_at: Instant, length: int, zone: str, *, is_all_day: bool) -> Instant:
    """Where something ends that takes so many microseconds; of whole days the days are counted."""
    if not is_all_day:
        return Instant(starts_at + length)
    return midnight(first_day(starts_at, zone) + timedelta(days=round(length / DAY)), zone)
