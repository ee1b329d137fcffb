"""Resolve former names of dates, so that old links continue to work.

A date's name is its original wall-clock start. A change of the rule or a split renames dates or moves them to another
series. A name is looked up in this order: the date that has the name; the event that had it
(``retired_calendar_uids``); a date with this name in a series that continues this one after a split; the date that
replaces one of a former rule (``event_series_former_rules``); a date on the same day in any of these series.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from groundwork.errors import NotFound
from openmeet.domain.attendance.queries import find
from openmeet.domain.attendance.rules import rsvp_gives_access
from openmeet.domain.events.event_access import may_see
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.events.queries import by_id
from openmeet.domain.series import date_queries, queries, splits
from openmeet.domain.series.dates import original_of, original_text
from openmeet.domain.series.model import Series, SeriesId
from openmeet.domain.series.reasons import SeriesReason
from openmeet.domain.users.model import UserId
from openmeet.recurrence import expansion
from openmeet.recurrence.pattern import Pattern
from openmeet.recurrence.rule_dates import END
from openmeet.recurrence.split import remap
from openmeet.recurrence.wall_time import instant_of

# Maximum number of dates on one day to compare, because a rule can have several.
_OF_ONE_DAY = 50

# Earlier years have no dates, and calendars do not support them.
_FIRST_YEAR = 1900


@dataclass(frozen=True, slots=True)
class DateName:
    """The name of a date in a series, whether stored or not."""

    series: Series
    original_date: str


async def resolve(reader: Reader, series: Series, original_date: str, viewer: UserId | None) -> Event | DateName:
    """Resolve a name. Returns the event that had it and is no longer a date of these series, or the name of the date to
    open.

    If no date is found, returns the name itself. Raises NotFound for a year without dates. ``original_date`` has been
    checked (``checked_name``), and the viewer may see ``series``.
    """
    requested = DateName(series, original_date)
    if not _FIRST_YEAR <= original_of(original_date).year < END.year:
        raise NotFound(SeriesReason.NO_SUCH_DATE)
    if await _is_date(reader, requested) or original_of(original_date) in series.timing.pattern.left_out:
        return requested
    event = await event_formerly_named(reader, series.id, original_date, viewer)
    if event is not None:
        return event
    continuations = (await splits.with_continuations(reader, series, viewer))[1:]
    for one in continuations:
        if await _is_date(reader, DateName(one, original_date)):
            return DateName(one, original_date)
    new_name = await present_name(reader, series, original_date, viewer)
    if new_name is not None:
        return DateName(*new_name)
    for one in (series, *continuations):
        name = await _same_day(reader, one, original_date)
        if name is not None:
            return name
    return requested


async def resolve_from_deleted(
    reader: Reader, series: Series, original_date: str, viewer: UserId | None
) -> Event | DateName | None:
    """Like ``resolve``, for a deleted series: the event that was kept, or the date of the series that it was split
    from.
    """
    event = await event_formerly_named(reader, series.id, original_date, viewer)
    if event is not None or series.split_from is None:
        return event
    before = await splits.visible_part(reader, series, await queries.by_id(reader, series.split_from), viewer)
    name = None if before is None else await name_before_split(reader, before, series, original_date)
    return None if before is None or name is None else await resolve(reader, before, name, viewer)


async def event_formerly_named(
    reader: Reader, series_id: SeriesId, original_date: str, viewer: UserId | None
) -> Event | None:
    """The event that last had this name and has moved, if the viewer may see it. Includes deleted events, whose pages
    say so.
    """
    row = await reader.fetch_one(
        "select event_id from retired_calendar_uids where series_id = :series_id and original_date = :name"
        " order by left_at desc, event_id desc limit 1",
        series_id=series_id,
        name=original_date,
    )
    event = await by_id(reader, EventId(row["event_id"])) if row else None
    if event is None:
        return None
    rsvp = await find(reader, event.id, viewer) if viewer else None
    return event if await may_see(reader, event, viewer, has_rsvp_access=rsvp_gives_access(rsvp)) else None


async def _is_date(reader: Reader, name: DateName) -> bool:
    """Whether the series has this date, either by its rule or stored (even if deleted)."""
    if await date_queries.date_of(reader, name.series.id, name.original_date) is not None:
        return True
    return expansion.is_date_of(name.series.timing.pattern, original_of(name.original_date))


async def _same_day(reader: Reader, series: Series, original_date: str) -> DateName | None:
    """The date on the same day whose time is nearest. None if there is none on that day."""
    original = original_of(original_date)
    day = original.replace(hour=0, minute=0, second=0)
    # A clock change shifts the beginning or end of a day by less than two hours.
    start = Instant(instant_of(day - timedelta(hours=2), series.zone_name))
    end = Instant(instant_of(day + timedelta(hours=26), series.zone_name))
    stored_names = await date_queries.names_of_day(reader, series.id, original_date[:10])
    computed: Sequence[expansion.Occurrence] = expansion.between(
        series.timing.pattern, start, end, limit=_OF_ONE_DAY + len(stored_names)
    )
    names = {*stored_names, *(original_text(one.original) for one in computed if one.original.date() == day.date())}
    if not names:
        return None
    nearest = min(names, key=lambda name: (abs(original_of(name) - original), name))
    return DateName(series, nearest)


# Maximum number of rule changes of a series to read, newest first, and of splits to follow for a name.
_MAX_RULES = 100
_MAX_SPLITS = 20

# How many dates around a name to compare, as (days on either side, maximum dates). The first range that has few enough
# dates is used.
_COMPARED_DAYS = ((400, 150), (40, 150), (2, 150))


@dataclass(frozen=True, slots=True)
class FormerRule:
    """The pattern of a series until ``left_at``."""

    pattern: Pattern
    left_at: Instant


async def present_name(
    reader: Reader, series: Series, original_date: str, viewer: UserId | None
) -> tuple[Series, str] | None:
    """The date that replaces a date of a former rule, with its series. None if there is none or this person may not be
    redirected to it.

    The result may be stored or computed. ``original_date`` has been checked, and the present rule does not have it.
    """
    at, patterns, split_dates = original_of(original_date), *(await _history(reader, series))
    matching = [index for index, one in enumerate(patterns) if expansion.is_date_of(one, at)]
    if not matching:
        return None
    index = matching[-1]
    for _ in range(_MAX_SPLITS):
        index, at = _followed(patterns, index, at)
        if index == len(patterns) - 1:
            return series, original_text(at)
        continuation = await _split_off(reader, series, split_dates[index], viewer)
        if continuation is None:
            return None
        others, split_dates = await _history(reader, continuation)
        taken = replacement_of(patterns[index], others[0], at)
        if taken is None:
            return None
        series, patterns, index, at = continuation, others, 0, taken
    return None


async def name_before_split(reader: Reader, series: Series, later_part: Series, original_date: str) -> str | None:
    """The name in ``series`` of a date of a part that was split off and deleted, for example by an undo. None if it has
    none.
    """
    at = original_of(original_date)
    patterns, _ = await _history(reader, later_part)
    last = next((one for one in reversed(patterns) if expansion.is_date_of(one, at)), None)
    if last is None:
        return None
    # If the series was split again since, its dates at that time belong to a former rule.
    within, _ = await _history(reader, series)
    names = (replacement_of(last, one, at) for one in reversed(within))
    return next((original_text(taken) for taken in names if taken is not None), None)


def replacement_of(old: Pattern, new: Pattern, at: datetime) -> datetime | None:
    """The date of the new pattern that replaces this date of the old one, found by comparing the dates around it."""
    for days, most in _COMPARED_DAYS:
        before, after = (
            [one.original for one in expansion.between(pattern, *_range_around(pattern, at, days), limit=most)]
            for pattern in (old, new)
        )
        if len(before) < most and len(after) < most:
            return remap([*before, at], after)[at]
    return None


def _followed(patterns: Sequence[Pattern], index: int, at: datetime) -> tuple[int, datetime]:
    """Follow a date through the changes after ``index``. Returns the last pattern that has it, and its name in that
    pattern.
    """
    while index < len(patterns) - 1:
        taken = replacement_of(patterns[index], patterns[index + 1], at)
        if taken is not None:
            index, at = index + 1, taken
            continue
        # The date was missing for a while because of a split that was undone.
        again = [later for later in range(index + 2, len(patterns)) if expansion.is_date_of(patterns[later], at)]
        if not again:
            break
        index = again[0]
    return index, at


def _range_around(pattern: Pattern, at: datetime, days: int) -> tuple[Instant, Instant]:
    zone = pattern.zone_or_utc
    reach = timedelta(days=days)
    return instant_of(at - reach, zone), instant_of(at + reach, zone)


async def _history(reader: Reader, series: Series) -> tuple[list[Pattern], list[Instant]]:
    """The patterns of a series, the present one last, and the time until which each earlier one was valid."""
    rows = await reader.fetch(
        "select starts_local, time_zone, recurrence_rule, recurrence_exceptions, recurrence_dates, is_all_day, left_at"
        " from event_series_former_rules where series_id = :id order by revision desc limit :limit",
        id=series.id,
        limit=_MAX_RULES,
    )
    former = [FormerRule(queries.pattern_of(row), Instant(row["left_at"])) for row in reversed(rows)]
    return [*(one.pattern for one in former), series.timing.pattern], [one.left_at for one in former]


async def _split_off(reader: Reader, series: Series, left_at: Instant, viewer: UserId | None) -> Series | None:
    """The series split off by the change at this instant, if this person may be redirected to it."""
    row = await reader.fetch_one(
        "select id from event_series where split_from = :id and created_at = :at", id=series.id, at=left_at
    )
    later_part = await queries.by_id(reader, SeriesId(row["id"])) if row else None
    return await splits.visible_part(reader, series, later_part, viewer)
