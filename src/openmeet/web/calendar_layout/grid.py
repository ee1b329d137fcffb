"""Calendar layout: bars across the weeks of a month, and blocks side by side in the hours of a day. Pure geometry.

The size of a layout does not depend on the number of entries. Entries that do not fit are counted, and the page links
to their day.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final, Generic, TypeVar

K = TypeVar("K", bound=Hashable)

DAYS: Final = 7
DAY_MINUTES: Final = 24 * 60
# Blocks begin and end on multiples of this. ``calendar.css`` has a class for each.
STEP_MINUTES: Final = 5
# 48 px, of which 44 remain between the gaps: the minimum size of a touch target. Shorter entries are drawn at this
# height.
LEAST_MINUTES: Final = 60
# If not everything fits, the last lane or column shows the number of hidden entries.
MAX_LANES: Final = 3
MAX_COLUMNS: Final = 3
# The hours that a week shows even if they have no entries.
FIRST_HOUR: Final = 9
LAST_HOUR: Final = 23


@dataclass(frozen=True, slots=True)
class SpanningEntry(Generic[K]):
    """An entry and the days that it covers, both ends included."""

    key: K
    first: date
    last: date


@dataclass(frozen=True, slots=True)
class Bar(Generic[K]):
    """The part of an entry within one week. ``day`` is 0 to 6, ``days`` the number of days, and lane 0 is on top."""

    key: K
    day: int
    days: int
    lane: int
    is_start: bool
    is_end: bool


@dataclass(frozen=True, slots=True)
class WeekOfBars(Generic[K]):
    """Bars in order of day and lane, and for each day the number of entries without a bar."""

    bars: tuple[Bar[K], ...]
    hidden: tuple[int, ...]


def week_of_bars(start: date, entries: Sequence[SpanningEntry[K]], lanes: int = MAX_LANES) -> WeekOfBars[K]:
    """Lay out the week that begins on ``start``. Entries must be sorted. Longer ones go on top, so that they stay in
    one lane.

    If a day has more entries than lanes, its last lane stays free for the number of hidden entries.
    """
    end = start + timedelta(days=DAYS - 1)
    inside = [one for one in entries if one.first <= end and one.last >= start]
    taken_lanes: list[set[int]] = [set() for _ in range(DAYS)]
    placed = []
    for one in sorted(inside, key=lambda one: (max(one.first, start), -(one.last - one.first).days)):
        first, last = max(one.first, start), min(one.last, end)
        day, days = (first - start).days, (last - first).days + 1
        free = (lane for lane in range(lanes) if all(lane not in taken_lanes[each] for each in range(day, day + days)))
        lane = next(free, lanes)
        for each in range(day, day + days):
            taken_lanes[each].add(lane)
        placed.append(Bar(one.key, day, days, lane, one.first >= start, one.last <= end))
    shown = [bar for bar in placed if bar.lane < lanes]
    hidden = _hidden(placed, shown)
    # A day with hidden entries needs its last lane to show their number. This can hide a bar that other days share.
    while crowded := [bar for bar in shown if bar.lane == lanes - 1 and any(hidden[bar.day : bar.day + bar.days])]:
        shown = [bar for bar in shown if bar not in crowded]
        hidden = _hidden(placed, shown)
    return WeekOfBars(tuple(sorted(shown, key=lambda bar: (bar.day, bar.lane))), hidden)


def _hidden(placed: Sequence[Bar[K]], shown: Sequence[Bar[K]]) -> tuple[int, ...]:
    counts = [0] * DAYS
    for sign, bars in ((1, placed), (-1, shown)):
        for bar in bars:
            for day in range(bar.day, bar.day + bar.days):
                counts[day] += sign
    return tuple(counts)


@dataclass(frozen=True, slots=True)
class TimedEntry(Generic[K]):
    """An entry within one day, in minutes after midnight, local time."""

    key: K
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class HourBlock(Generic[K]):
    """A rectangle within a day, in minutes and in ``column`` of ``columns``. If ``key`` is None, it represents
    ``hidden`` entries that do not fit.
    """

    key: K | None
    start: int
    end: int
    column: int
    columns: int
    hidden: int = 0


def blocks_of_day(entries: Sequence[TimedEntry[K]], most: int = MAX_COLUMNS) -> list[HourBlock[K]]:
    """Lay out a day. Blocks that overlap on screen share the width of the day, ordered by start; of two with the same
    start, the longer one comes first.
    """
    blocks: list[HourBlock[K]] = []
    cluster: list[TimedEntry[K]] = []
    ends = 0
    for one in sorted(map(_as_drawn, entries), key=lambda one: (one.start, -one.end)):
        if cluster and one.start >= ends:
            blocks += _side_by_side(cluster, most)
            cluster = []
        ends = max(ends, one.end) if cluster else one.end
        cluster.append(one)
    return blocks + (_side_by_side(cluster, most) if cluster else [])


def _as_drawn(timed: TimedEntry[K]) -> TimedEntry[K]:
    """The entry as drawn: snapped to the grid, at least the minimum height, and within the day."""
    start = min(max(timed.start, 0), DAY_MINUTES - LEAST_MINUTES) // STEP_MINUTES * STEP_MINUTES
    end = min(-(-timed.end // STEP_MINUTES) * STEP_MINUTES, DAY_MINUTES)
    return TimedEntry(timed.key, start, max(end, start + LEAST_MINUTES))


def _side_by_side(cluster: Sequence[TimedEntry[K]], most: int) -> list[HourBlock[K]]:
    ends: list[int] = []
    columns = []
    for one in cluster:
        column = next((number for number, end in enumerate(ends) if end <= one.start), len(ends))
        ends[column : column + 1] = [one.end]
        columns.append(column)
    if len(ends) <= most:
        return [
            HourBlock(one.key, one.start, one.end, column, len(ends))
            for one, column in zip(cluster, columns, strict=True)
        ]
    fits = most - 1
    left_over = [one for one, column in zip(cluster, columns, strict=True) if column >= fits]
    more: HourBlock[K] = HourBlock(
        None, min(one.start for one in left_over), max(one.end for one in left_over), fits, most, hidden=len(left_over)
    )
    shown = [
        HourBlock(one.key, one.start, one.end, column, most)
        for one, column in zip(cluster, columns, strict=True)
        if column < fits
    ]
    return [*shown, more]


def minutes_of(starts: datetime, ends: datetime, day: date) -> tuple[int, int]:
    """The start and end on this day, in minutes after midnight, local time.

    When clocks go back at night, an entry can end at an earlier local time than it began. Its duration is used then.
    """
    first = 0 if starts.date() < day else starts.hour * 60 + starts.minute
    last = DAY_MINUTES if ends.date() > day else ends.hour * 60 + ends.minute
    if starts.date() == ends.date() == day and last < first:
        last = min(first + int((ends.astimezone(UTC) - starts.astimezone(UTC)).total_seconds() // 60), DAY_MINUTES)
    return first, last


def hours_of(blocks: Sequence[HourBlock[K]]) -> tuple[int, int]:
    """The hours that a week shows: the usual ones, extended to include all entries."""
    first = min([FIRST_HOUR, *(block.start // 60 for block in blocks)])
    last = max([LAST_HOUR, *(-(-block.end // 60) for block in blocks)])
    return first, last


def week_start(on: date, first_weekday: int) -> date:
    """The first day of the week that contains ``on``. ``first_weekday`` 0 is Monday."""
    return on - timedelta(days=(on.weekday() - first_weekday) % DAYS)
