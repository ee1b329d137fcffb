"""Rules that a series had, and which date stands now for one that an old rule named.

Each change of when a series meets keeps the rule that it replaces (``queries.update``, ``queries.restore``). A name is followed from
the newest rule that knows it to the present one, change by change, as stored dates are (``recurrence.remapping``); over a split into
the series that took over.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from openmeet.domain.series import queries, splits
from openmeet.domain.series.dates import original_of, original_text
from openmeet.domain.series.model import Series, SeriesId
from openmeet.domain.users.model import UserId
from openmeet.recurrence import expansion
from openmeet.recurrence.pattern import Pattern
from openmeet.recurrence.remapping import remap
from openmeet.recurrence.wall_time import instant_of

# The newest changes of one series that are looked at, and the splits that one name is followed over.
_MOST_RULES = 100
_MOST_SPLITS = 20

# Dates around a name that are compared, by how far apart a series' dates are: days before and behind it, and the most dates there.
_NEIGHBOURHOODS = ((400, 150), (40, 150), (2, 150))


@dataclass(frozen=True, slots=True)
class FormerRule:
    """When a series met until ``left_at``."""

    pattern: Pattern
    left_at: Instant


async def present_name(
    reader: Reader, series: Series, original_date: str, viewer: UserId | None
) -> tuple[Series, str] | None:
    """The date that stands for one that a former rule named, and its series, as far as this person may be led there; None: no date.

    The date may be stored or computed; ``original_date`` is a checked name that the present rule does not know.
    """
    at, patterns, left = original_of(original_date), *(await _history(reader, series))
    known = [index for index, one in enumerate(patterns) if expansion.is_date_of(one, at)]
    if not known:
        return None
    index = known[-1]
    for _ in range(_MOST_SPLITS):
        index, at = _followed(patterns, index, at)
        if index == len(patterns) - 1:
            return series, original_text(at)
        behind = await _split_off(reader, series, left[index], viewer)
        if behind is None:
            return None
        others, left = await _history(reader, behind)
        taken = replaced(patterns[index], others[0], at)
        if taken is None:
            return None
        series, patterns, index, at = behind, others, 0, taken
    return None


async def name_before_split(reader: Reader, series: Series, behind: Series, original_date: str) -> str | None:
    """The date of a series that stands for one of the part that was split off and is gone, as when the split was undone."""
    at = original_of(original_date)
    patterns, _ = await _history(reader, behind)
    last = next((one for one in reversed(patterns) if expansion.is_date_of(one, at)), None)
    taken = None if last is None else replaced(last, series.timing.pattern, at)
    return None if taken is None else original_text(taken)


def replaced(old: Pattern, new: Pattern, at: datetime) -> datetime | None:
    """The date of the new pattern that stands for this date of the old one, judged among their dates around it."""
    for days, most in _NEIGHBOURHOODS:
        before, after = (
            [one.original for one in expansion.between(pattern, *_around(pattern, at, days), limit=most)]
            for pattern in (old, new)
        )
        if len(before) < most and len(after) < most:
            return remap([*before, at], after)[at]
    return None


def _followed(patterns: Sequence[Pattern], index: int, at: datetime) -> tuple[int, datetime]:
    """How far the changes behind ``index`` lead a date: the last pattern that has it, and its name there."""
    while index < len(patterns) - 1:
        taken = replaced(patterns[index], patterns[index + 1], at)
        if taken is not None:
            index, at = index + 1, taken
            continue
        # A split that was undone took the date away for a while.
        again = [later for later in range(index + 2, len(patterns)) if expansion.is_date_of(patterns[later], at)]
        if not again:
            break
        index = again[0]
    return index, at


def _around(pattern: Pattern, at: datetime, days: int) -> tuple[Instant, Instant]:
    zone = pattern.zone_name or "UTC"
    reach = timedelta(days=days)
    return instant_of(at - reach, zone), instant_of(at + reach, zone)


async def _history(reader: Reader, series: Series) -> tuple[list[Pattern], list[Instant]]:
    """The patterns of a series, the present one last, and when each but the last was left."""
    rows = await reader.fetch(
        "select starts_local, time_zone, recurrence_rule, recurrence_exceptions, recurrence_dates, is_all_day, left_at"
        " from event_series_former_rules where series_id = :id order by revision desc limit :limit",
        id=series.id,
        limit=_MOST_RULES,
    )
    former = [FormerRule(queries.pattern_of(row), Instant(row["left_at"])) for row in reversed(rows)]
    return [*(one.pattern for one in former), series.timing.pattern], [one.left_at for one in former]


async def _split_off(reader: Reader, series: Series, left_at: Instant, viewer: UserId | None) -> Series | None:
    """The series that took over in the change at this instant, if that may lead this person there."""
    row = await reader.fetch_one(
        "select id from event_series where split_from = :id and created_at = :at", id=series.id, at=left_at
    )
    behind = await queries.by_id(reader, SeriesId(row["id"])) if row else None
    return await splits.leads_to(reader, series, behind, viewer)
