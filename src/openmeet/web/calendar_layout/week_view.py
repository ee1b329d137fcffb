"""Week view: seven days with hours, and all-day entries above them. Phones show only the chosen day. Pure functions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time, timedelta
from typing import Final

from groundwork.clock import Instant
from openmeet.domain.calendars.model import CalendarEntry
from openmeet.i18n import formatting
from openmeet.recurrence.wall_time import local_of
from openmeet.web.calendar_layout.grid import (
    Bar,
    HourBlock,
    SpanningEntry,
    TimedEntry,
    blocks_of_day,
    hours_of,
    minutes_of,
    week_of_bars,
)
from openmeet.web.calendar_layout.view import (
    EntryLook,
    Period,
    View,
    clock_on,
    covered_days,
    entries_label,
    is_within_a_day,
    path_of,
)

# The height of a line of text in a block, and that of the space above and below, in minutes of the hours. An hour is
# 48 px high, a line 15 px, the space 6 px (``calendar.css``).
_LINE_MINUTES: Final = 18.75
_SPACE_MINUTES: Final = 7.5
# In taller blocks, any title fits.
_MAX_LINES: Final = 6
# Shorter blocks have one line of their title. If there are three next to each other, they have nothing else.
SHORT_MINUTES: Final = 75


@dataclass(frozen=True, slots=True)
class WeekBlock:
    """A rectangle in the hours of a day. If ``look`` is None, it represents ``hidden`` entries."""

    look: EntryLook | None
    clock: str
    start: int
    end: int
    column: int
    columns: int
    hidden: int

    @property
    def classes(self) -> str:
        """Classes of ``calendar.css`` that set the start, the end, the column and the width."""
        (first_hour, first_minute), (last_hour, last_minute) = divmod(self.start, 60), divmod(self.end, 60)
        hours = f"at-h{first_hour} at-m{first_minute} to-h{last_hour} to-m{last_minute}"
        is_short = self.end - self.start < SHORT_MINUTES
        width = f"column-{self.column} of-{self.columns}"
        return f"{hours} {width} lines-{self.title_lines}" + (" is-short" if is_short else "")

    @property
    def title_lines(self) -> int:
        """The number of lines for the title. One more line is left for the time."""
        lines = int((self.end - self.start - _SPACE_MINUTES) // _LINE_MINUTES)
        return min(max(lines - 1, 1), _MAX_LINES)


@dataclass(frozen=True, slots=True)
class WeekBar:
    """A bar above the hours. ``is_on_chosen``: it covers the chosen day, so phones show it."""

    look: EntryLook
    clock: str
    day: int
    days: int
    lane: int
    is_start: bool
    is_end: bool
    is_on_chosen: bool


@dataclass(frozen=True, slots=True)
class WeekDay:
    """A column. ``now`` is the current hour and minute. It is None unless the column is today and the time is within
    the hours shown.
    """

    key: str
    weekday: str
    initial: str
    number: int
    words: str
    spoken: str
    path: str
    day_path: str
    is_today: bool
    is_chosen: bool
    has_entries: bool
    blocks: Sequence[WeekBlock]
    hidden_bars: int
    now: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class WeekView:
    """A week as columns of days. ``hours`` pairs each hour shown with its label. ``chosen_from``: the first hour on
    phones, which show only the chosen day, one hour before its first entry.
    """

    days: Sequence[WeekDay]
    bars: Sequence[WeekBar]
    lanes: int
    first_hour: int
    last_hour: int
    chosen_from: int
    hours: Sequence[tuple[int, str]]


@dataclass(frozen=True, slots=True)
class WeekLayout:
    """The layout of a week: the blocks of each day, the bars above the days, and the number of entries per day."""

    blocks: Mapping[date, Sequence[HourBlock[str]]]
    bars: Sequence[Bar[str]]
    hidden_bars: Sequence[int]
    counts: Mapping[date, int]

    @property
    def keys(self) -> set[str]:
        """The entries that have a block or a bar."""
        blocks = {block.key for of_day in self.blocks.values() for block in of_day if block.key is not None}
        return blocks | {bar.key for bar in self.bars}


def week_layout(period: Period, entries: Sequence[CalendarEntry]) -> WeekLayout:
    """Lay out the entries of a week."""
    timed: dict[date, list[TimedEntry[str]]] = {day: [] for day in period.days}
    counts = dict.fromkeys(period.days, 0)
    above = []
    for entry in entries:
        span = covered_days(entry, period.zone)
        for day in period.days:
            counts[day] += span.first <= day <= span.last
        if entry.is_all_day or not is_within_a_day(entry):
            above.append(span)
            continue
        starts, ends = local_of(entry.starts_at, period.zone), local_of(entry.ends_at, period.zone)
        for day in {starts.date(), local_of(Instant(max(entry.starts_at, entry.ends_at - 1)), period.zone).date()}:
            if day not in timed:
                continue
            if day > span.last:
                # An event that lasts into the night continues as a bar above the hours. Otherwise the hours would have
                # to start at midnight.
                above.append(SpanningEntry(entry.key, day, day))
            else:
                timed[day].append(TimedEntry(entry.key, *minutes_of(starts, ends, day)))
    bars = week_of_bars(period.start, above)
    return WeekLayout({day: blocks_of_day(of_day) for day, of_day in timed.items()}, bars.bars, bars.hidden, counts)


def week_view(
    period: Period,
    layout: WeekLayout,
    entries: Mapping[str, CalendarEntry],
    looks: Mapping[str, EntryLook],
    now: Instant,
) -> WeekView:
    """The week as the page shows it. ``looks`` must contain at least the ``keys`` of the layout."""
    first, last = hours_of([block for of_day in layout.blocks.values() for block in of_day])
    clock = local_of(now, period.zone)
    is_within = first <= clock.hour < last
    days = [
        WeekDay(
            key=day.isoformat(),
            weekday=formatting.weekday_in_short(day),
            initial=formatting.weekday_in_short(day)[:1],
            number=day.day,
            words=formatting.long_day(day),
            spoken=entries_label(day, layout.counts[day]),
            path=path_of(View.WEEK, day),
            day_path=path_of(View.AGENDA, day),
            is_today=day == period.today,
            is_chosen=day == period.on,
            has_entries=layout.counts[day] > 0,
            blocks=[_week_block(block, day, period, entries, looks) for block in layout.blocks[day]],
            hidden_bars=layout.hidden_bars[(day - period.start).days],
            now=(clock.hour, clock.minute // 5 * 5) if day == period.today and is_within else None,
        )
        for day in period.days
    ]
    selected_index = (period.on - period.start).days
    bars = [
        WeekBar(
            look=looks[bar.key],
            clock=clock_on(entries[bar.key], period.start + timedelta(days=bar.day), period.zone),
            day=bar.day,
            days=bar.days,
            lane=bar.lane,
            is_start=bar.is_start,
            is_end=bar.is_end,
            is_on_chosen=bar.day <= selected_index < bar.day + bar.days,
        )
        for bar in layout.bars
    ]
    lanes = max([bar.lane + 1 for bar in bars] + [3 if any(layout.hidden_bars) else 0])
    hours = [(hour, formatting.full_hour(hour)) for hour in range(first + 1, last)]
    starts = [block.start // 60 - 1 for block in layout.blocks[period.on]]
    if starts and period.on == period.today and is_within:
        starts.append(clock.hour)
    return WeekView(days, bars, lanes, first, last, max(first, min(starts, default=first)), hours)


def _week_block(
    block: HourBlock[str],
    day: date,
    period: Period,
    entries: Mapping[str, CalendarEntry],
    looks: Mapping[str, EntryLook],
) -> WeekBlock:
    clock = formatting.clock(time(block.start // 60, block.start % 60))
    if block.key is not None:
        # A block that shares its width only has space for one time: the start, or the end if the entry started the day
        # before.
        is_from_before = local_of(entries[block.key].starts_at, period.zone).date() < day
        is_alone = block.columns == 1 or is_from_before
        clock = clock_on(entries[block.key], day, period.zone) if is_alone else looks[block.key].clock
    return WeekBlock(
        look=None if block.key is None else looks[block.key],
        clock=clock,
        start=block.start,
        end=block.end,
        column=block.column,
        columns=block.columns,
        hidden=block.hidden,
    )
