"""Month view: a table of weeks. Each day has its number, dots for phones and bars for wide screens. Pure functions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from openmeet.domain.calendars.model import CalendarEntry
from openmeet.web.calendar.layout import DAYS, Bar, week_of_bars
from openmeet.web.calendar.view import EntryLook, Period, View, covered_days, entries_label, path_of

MOST_DOTS = 3


@dataclass(frozen=True, slots=True)
class MonthBar:
    """A bar and its text. ``lane`` and ``days`` select classes of ``calendar.css``."""

    look: EntryLook
    lane: int
    days: int
    is_start: bool
    is_end: bool


@dataclass(frozen=True, slots=True)
class MonthCell:
    """A day. ``hidden`` is the number of entries without a bar."""

    key: str
    number: int
    words: str
    path: str
    is_today: bool
    is_chosen: bool
    is_other: bool
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
        return bars | {key for keys in self.of_day.values() for key in keys[:MOST_DOTS]}


def month_layout(period: Period, entries: Sequence[CalendarEntry]) -> MonthLayout:
    """Lay out the entries of a month."""
    spans = [covered_days(entry, period.zone) for entry in entries]
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


def cells(period: Period, layout: MonthLayout, looks: Mapping[str, EntryLook]) -> list[list[MonthCell]]:
    """The table, as rows of cells. ``looks`` must contain at least the ``keys`` of the layout."""
    return [
        [_cell(period, layout, looks, start + timedelta(days=number), bars, hidden) for number in range(DAYS)]
        for start, bars, hidden in layout.weeks
    ]


def _cell(
    period: Period,
    layout: MonthLayout,
    looks: Mapping[str, EntryLook],
    day: date,
    bars: Sequence[Bar[str]],
    hidden: Sequence[int],
) -> MonthCell:
    keys, number = layout.of_day[day], (day - period.start).days % DAYS
    return MonthCell(
        key=day.isoformat(),
        number=day.day,
        words=entries_label(day, len(keys)),
        path=path_of(View.MONTH, day),
        is_today=day == period.today,
        is_chosen=day == period.on,
        is_other=day.month != period.on.month,
        dots=[looks[key] for key in keys[:MOST_DOTS]],
        bars=[
            MonthBar(looks[bar.key], bar.lane, bar.days, bar.is_start, bar.is_end) for bar in bars if bar.day == number
        ],
        hidden=hidden[number],
    )
