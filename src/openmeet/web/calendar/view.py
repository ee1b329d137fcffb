"""The calendar page: a month as weeks, and days with their entries in the user's zone. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import assert_never

from groundwork.clock import Instant
from openmeet.domain.calendars.model import CalendarEntry, EntryKind, Itself
from openmeet.i18n import formatting
from openmeet.recurrence.wall_time import FIRST_YEAR, LAST_YEAR, instant_of, local_of

AGENDA_DAYS = 30
# A longer entry is shown on its first day and as many more as fit a month.
MOST_DAYS_OF_ONE = 42

WORDS = {
    EntryKind.HOSTING: "You host",
    EntryKind.GOING: "Going",
    EntryKind.WAITING: "Waiting",
    EntryKind.INTERESTED: "Interested",
    EntryKind.INVITED: "Invited",
}


class View(StrEnum):
    """The period to show."""

    MONTH = "month"
    WEEK = "week"
    AGENDA = "agenda"


@dataclass(frozen=True, slots=True)
class CalendarItem:
    """One entry on one day. ``overlaps`` names a concurrent entry."""

    title: str
    path: str
    when: str
    iso: str
    place: str
    chip: str
    kind: str
    is_cancelled: bool
    overlaps: str


@dataclass(slots=True)
class CalendarDay:
    """One day with its entries."""

    on: date
    words: str
    is_today: bool
    is_other_month: bool
    lines: list[CalendarItem] = field(default_factory=list)

    @property
    def key(self) -> str:
        return self.on.isoformat()


@dataclass(frozen=True, slots=True)
class PeriodView:
    """The days shown, the heading, and the links to the previous and next period."""

    view: View
    heading: str
    before: date
    behind: date
    days: tuple[CalendarDay, ...]

    @property
    def weeks(self) -> list[tuple[CalendarDay, ...]]:
        return [self.days[start : start + 7] for start in range(0, len(self.days), 7)]

    @property
    def busy_days(self) -> list[CalendarDay]:
        """Days within the period that have entries."""
        return [day for day in self.days if day.lines and not day.is_other_month]


def day_named(text: str, today: date) -> date:
    """The day in the URL; today if missing or invalid."""
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return today
    return found if FIRST_YEAR < found.year < LAST_YEAR else today


def window_of(view: View, on: date, zone: str) -> tuple[date, date, Instant, Instant]:
    """First day, day after the last, and the instants of both."""
    match view:
        case View.MONTH:
            first = on.replace(day=1)
            start = first - timedelta(days=first.weekday())
            last = (first + timedelta(days=31)).replace(day=1)
            end = last + timedelta(days=(7 - last.weekday()) % 7)
        case View.WEEK:
            start = on - timedelta(days=on.weekday())
            end = start + timedelta(days=7)
        case View.AGENDA:
            start, end = on, on + timedelta(days=AGENDA_DAYS)
        case _:
            assert_never(view)
    return start, end, _midnight(start, zone), _midnight(end, zone)


def shown(view: View, on: date, today: date, zone: str, entries: Sequence[CalendarEntry]) -> PeriodView:
    """The page's view of these entries, which are in order."""
    start, end, _, _ = window_of(view, on, zone)
    days = {
        day: CalendarDay(day, formatting.day(day), day == today, view is View.MONTH and day.month != on.month)
        for day in (start + timedelta(days=number) for number in range((end - start).days))
    }
    overlaps = _overlaps(entries)
    for entry in entries:
        for day in _days_of(entry, zone):
            if day in days:
                days[day].lines.append(_line(entry, day, zone, overlaps.get(entry.key, "")))
    match view:
        case View.MONTH:
            heading = f"{formatting.month_name(on)} {on.year}"
            before = (on.replace(day=1) - timedelta(days=1)).replace(day=1)
            behind = (on.replace(day=1) + timedelta(days=31)).replace(day=1)
        case View.WEEK:
            heading = f"{formatting.short_day(start)} to {formatting.short_day(end - timedelta(days=1))} {end.year}"
            before, behind = start - timedelta(days=7), end
        case View.AGENDA:
            heading = f"From {formatting.day(start)}"
            before, behind = start - timedelta(days=AGENDA_DAYS), end
        case _:
            assert_never(view)
    return PeriodView(view, heading, before, behind, tuple(days.values()))


def _midnight(day: date, zone: str) -> Instant:
    return instant_of(datetime(day.year, day.month, day.day), zone)  # noqa: DTZ001  # wall time is naive here


def _days_of(entry: CalendarEntry, zone: str) -> list[date]:
    # An all-day entry is on the same day in every zone.
    named = entry.time_zone if entry.is_all_day else zone
    first = local_of(entry.starts_at, named).date()
    last = local_of(Instant(max(entry.starts_at, entry.ends_at - 1)), named).date()
    return [first + timedelta(days=number) for number in range(min((last - first).days + 1, MOST_DAYS_OF_ONE))]


def _line(entry: CalendarEntry, day: date, zone: str, overlaps: str) -> CalendarItem:
    return CalendarItem(
        title=entry.title or "(no title)",
        path=f"/events/{entry.slug}" if entry.slug else "",
        when=_when(entry, day, zone),
        iso=formatting.iso(entry.starts_at),
        place=entry.place,
        chip="Your draft" if entry.is_draft else WORDS.get(entry.kind, entry.calendar),
        kind=entry.kind.value,
        is_cancelled=entry.is_cancelled,
        overlaps=overlaps,
    )


def _when(entry: CalendarEntry, day: date, zone: str) -> str:
    if entry.is_all_day:
        return "All day"
    starts, ends = local_of(entry.starts_at, zone), local_of(entry.ends_at, zone)
    if starts.date() != day:
        return f"until {formatting.clock(ends)}" if ends.date() == day else "All day"
    if not entry.has_end or ends.date() != day:
        return formatting.clock(starts)
    return f"{formatting.clock(starts)}–{formatting.clock(ends)}"


def _overlaps(entries: Sequence[CalendarEntry]) -> Mapping[str, str]:
    """For each busy entry the title of the first other one that it overlaps."""
    found: dict[str, str] = {}
    open_: list[CalendarEntry] = []
    for entry in entries:
        if not entry.is_busy:
            continue
        open_ = [other for other in open_ if other.ends_at > entry.starts_at]
        for other in open_:
            if any(
                Itself(one.key, one.title, one.starts_at).is_entry(two) for one, two in ((entry, other), (other, entry))
            ):
                continue
            found.setdefault(entry.key, other.title or "(no title)")
            found.setdefault(other.key, entry.title or "(no title)")
        open_.append(entry)
    return found
