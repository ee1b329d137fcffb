"""Months as tables of weeks: the month view of a calendar, with dots for phones and bars for wide screens, and the plain
month of a group, to which templates add the links. Pure functions.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Generic, TypeVar

from groundwork.clock import DAY, Instant
from openmeet.i18n import formatting
from openmeet.i18n.catalogue import gettext, ngettext
from openmeet.recurrence import wall_time
from openmeet.recurrence.wall_time import midnight
from openmeet.web.calendar_layout.grid import DAYS, Bar, SpanningEntry, week_of_bars, week_start
from openmeet.web.calendar_layout.view import EntryLook, Period, entries_label

MAX_DOTS = 3
T = TypeVar("T")
_MONTH = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])")


@dataclass(frozen=True, slots=True)
class MonthBar:
    """A bar and its text. ``lane`` and ``days`` select classes of ``month.css``."""

    look: EntryLook
    lane: int
    days: int
    is_start: bool
    is_end: bool


@dataclass(frozen=True, slots=True)
class MonthCell:
    """A day. ``path`` leads to its list. ``count`` is the number of its entries, ``hidden`` of those without a bar."""

    key: str
    number: int
    words: str
    path: str
    is_today: bool
    is_chosen: bool
    is_other: bool
    count: int
    dots: Sequence[EntryLook]
    bars: Sequence[MonthBar]
    hidden: int


@dataclass(frozen=True, slots=True)
class MonthLayout:
    """The weeks with their bars, and the entries of each day. ``cells`` turns it into what the page shows."""

    weeks: Sequence[tuple[date, Sequence[Bar[str]], Sequence[int]]]
    of_day: Mapping[date, Sequence[str]]

    @property
    def keys(self) -> set[str]:
        """The entries that have a bar or a dot."""
        bars = {bar.key for _, bars, _ in self.weeks for bar in bars}
        return bars | {key for keys in self.of_day.values() for key in keys[:MAX_DOTS]}


@dataclass(frozen=True, slots=True)
class GridDay(Generic[T]):
    """A day in the grid of a month. ``is_other``: the day belongs to the month before or after."""

    iso: str
    number: int
    words: str
    is_other: bool
    is_today: bool
    items: tuple[T, ...]

    @property
    def spoken(self) -> str:
        """The full date and the number of events, for screen readers."""
        count = len(self.items)
        if not count:
            return gettext("%(day)s, no events", day=self.words)
        return ngettext("%(day)s, %(number)s event", "%(day)s, %(number)s events", count, day=self.words)


@dataclass(frozen=True, slots=True)
class Month(Generic[T]):
    """A month as whole weeks. ``weekdays`` has the long and short names of the columns."""

    name: str
    before: str
    after: str
    weekdays: Sequence[tuple[str, str]]
    weeks: tuple[tuple[GridDay[T], ...], ...]

    @property
    def is_bare(self) -> bool:
        """True if no day has entries. In that case phones would show nothing, because they hide empty days."""
        return not any(day.items for week in self.weeks for day in week if not day.is_other)


def month_layout(period: Period, spans: Sequence[SpanningEntry[str]]) -> MonthLayout:
    """Lay out the entries of a month, in display order."""
    of_day: dict[date, list[str]] = {day: [] for day in period.days}
    for span in spans:
        day = max(span.first, period.start)
        while day <= min(span.last, period.end - timedelta(days=1)):
            of_day[day].append(span.key)
            day += timedelta(days=1)
    weeks = []
    for start in period.days[::DAYS]:
        week = week_of_bars(start, spans)
        weeks.append((start, week.bars, week.hidden))
    return MonthLayout(weeks, of_day)


def cells(
    period: Period,
    layout: MonthLayout,
    looks: Mapping[str, EntryLook],
    day_path: Callable[[date], str],
    *,
    chosen: date | None = None,
) -> list[list[MonthCell]]:
    """The table, as rows of cells. ``looks`` must contain at least the ``keys`` of the layout. ``day_path`` is the URL of
    the list of a day, ``chosen`` the day whose list is below the table.
    """

    def cell(day: date, bars: Sequence[Bar[str]], hidden: Sequence[int]) -> MonthCell:
        keys, number = layout.of_day[day], (day - period.start).days % DAYS
        return MonthCell(
            key=day.isoformat(),
            number=day.day,
            words=entries_label(day, len(keys)),
            path=day_path(day),
            is_today=day == period.today,
            is_chosen=day == chosen,
            is_other=day.month != period.on.month,
            count=len(keys),
            dots=[looks[key] for key in keys[:MAX_DOTS]],
            bars=[
                MonthBar(looks[bar.key], bar.lane, bar.days, bar.is_start, bar.is_end)
                for bar in bars
                if bar.day == number
            ],
            hidden=hidden[number],
        )

    return [
        [cell(start + timedelta(days=number), bars, hidden) for number in range(DAYS)]
        for start, bars, hidden in layout.weeks
    ]


def first_of(text: str, today: date) -> date:
    """The first day of the month ``YYYY-MM``, or of the current month if the text is invalid."""
    match = _MONTH.fullmatch(text)
    if match is None or not wall_time.FIRST_YEAR < int(match[1]) < wall_time.LAST_YEAR:
        return today.replace(day=1)
    return date(int(match[1]), int(match[2]), 1)


def bounds_of(first: date, first_weekday: int) -> tuple[Instant, Instant]:
    """The range of start times that can appear in the table in any time zone: the table and two days on each side."""
    start = week_start(first, first_weekday)
    return Instant(midnight(start, "UTC") - 2 * DAY), Instant(midnight(start + timedelta(days=42), "UTC") + 2 * DAY)


def month_of(first: date, today: date, first_weekday: int, items: Iterable[tuple[date, T]]) -> Month[T]:
    """Build the table. ``first_weekday`` 0 is Monday. ``items`` are pairs of a day and an item, in display order."""
    by_day: dict[date, list[T]] = {}
    for day, item in items:
        by_day.setdefault(day, []).append(item)
    after = (first + timedelta(days=31)).replace(day=1)
    weeks = []
    start = week_start(first, first_weekday)
    while start < after:
        weeks.append(tuple(_grid_day(start + timedelta(days=number), first, today, by_day) for number in range(DAYS)))
        start += timedelta(days=DAYS)
    before = (first - timedelta(days=1)).replace(day=1)
    return Month(
        f"{formatting.month_name(first)} {first.year}",
        before.strftime("%Y-%m"),
        after.strftime("%Y-%m"),
        formatting.weekdays(first_weekday),
        tuple(weeks),
    )


def _grid_day(day: date, first: date, today: date, by_day: dict[date, list[T]]) -> GridDay[T]:
    items = tuple(by_day.get(day, ()))
    return GridDay(day.isoformat(), day.day, formatting.day(day), day.month != first.month, day == today, items)
