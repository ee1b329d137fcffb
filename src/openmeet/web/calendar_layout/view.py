"""Content of the calendar page: the period of a view, its heading, and each entry in words. Pure functions."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final, assert_never

from groundwork.clock import DAY, Instant
from openmeet.domain.calendars.model import CalendarEntry, EntryKind, ExcludedEvent
from openmeet.domain.page_paths import event_path
from openmeet.i18n import formatting
from openmeet.i18n.catalogue import gettext, lazy, ngettext
from openmeet.recurrence.wall_time import FIRST_YEAR, LAST_YEAR, local_of, midnight
from openmeet.web.calendar_layout.grid import DAYS, SpanningEntry, week_start

PATH: Final = "/my/calendar"
AGENDA_DAYS: Final = 30
# An entry that ends by this hour counts as part of the evening before.
NIGHT_ENDS: Final = 6
# Maximum number of days on which one entry is shown, counted from its first day: as many as a month view has.
MAX_DAYS_OF_ONE: Final = 42

WORDS: Final = {
    EntryKind.HOSTING: lazy("You host"),
    EntryKind.GOING: lazy("You’re going"),
    EntryKind.WAITING: lazy("Waiting"),
    EntryKind.INTERESTED: lazy("Maybe"),
    EntryKind.INVITED: lazy("Invited"),
}
_SURE: Final = {EntryKind.HOSTING, EntryKind.GOING}


class View(StrEnum):
    """The kind of period that the page shows."""

    MONTH = "month"
    WEEK = "week"
    AGENDA = "agenda"


VIEW_LABELS: Final = {View.MONTH: lazy("Month"), View.WEEK: lazy("Week"), View.AGENDA: lazy("Agenda")}


@dataclass(frozen=True, slots=True)
class Period:
    """The days of a view. ``end`` is exclusive. ``on`` is the chosen day. Times are shown in ``zone``."""

    view: View
    on: date
    today: date
    start: date
    end: date
    zone: str

    @property
    def instants(self) -> tuple[Instant, Instant]:
        """The period as instants, from the first midnight to the last."""
        return midnight(self.start, self.zone), midnight(self.end, self.zone)

    @property
    def before(self) -> date:
        """A day of the previous month, week or agenda page."""
        match self.view:
            case View.MONTH:
                return (self.on.replace(day=1) - timedelta(days=1)).replace(day=1)
            case View.WEEK:
                return self.on - timedelta(days=DAYS)
            case View.AGENDA:
                return self.start - timedelta(days=AGENDA_DAYS)

    @property
    def after(self) -> date:
        """A day of the next period."""
        match self.view:
            case View.MONTH:
                return (self.on.replace(day=1) + timedelta(days=31)).replace(day=1)
            case View.WEEK:
                return self.on + timedelta(days=DAYS)
            case View.AGENDA:
                return self.end

    @property
    def days(self) -> list[date]:
        return [self.start + timedelta(days=number) for number in range((self.end - self.start).days)]

    @property
    def heading(self) -> str:
        """``November``, or ``23–29 Nov``."""
        if self.view is View.MONTH:
            return formatting.month_name(self.on)
        return formatting.short_days(self.start, self.end - timedelta(days=1))


@dataclass(frozen=True, slots=True)
class EntryLook:
    """How bars and blocks show an entry. ``look`` is ``sure``, ``maybe``, or ``other`` for an entry of a subscribed
    calendar. ``language`` is that of the title, if it is known and not the page's.
    """

    key: str
    title: str
    path: str
    look: str
    tone: int
    clock: str
    place: str
    words: str
    is_cancelled: bool
    language: str = ""

    @property
    def classes(self) -> str:
        """Classes of ``month.css``: the look and the tone of the entry, and whether it is cancelled."""
        return f"is-{self.look} tone-{self.tone}" + (" is-cancelled" if self.is_cancelled else "")


def day_named(text: str, today: date) -> date:
    """The day in the URL, or today if it is missing or invalid."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return today
    return day if FIRST_YEAR < day.year < LAST_YEAR else today


def period_of(view: View, on: date, today: date, zone: str, first_weekday: int) -> Period:
    """The period of a view: the whole weeks of a month, one week, or the coming days. ``first_weekday`` 0 is Monday."""
    match view:
        case View.MONTH:
            start = week_start(on.replace(day=1), first_weekday)
            end = week_start((on.replace(day=1) + timedelta(days=31)).replace(day=1) + timedelta(days=6), first_weekday)
        case View.WEEK:
            start = week_start(on, first_weekday)
            end = start + timedelta(days=DAYS)
        case View.AGENDA:
            start, end = on, on + timedelta(days=AGENDA_DAYS)
        case _:
            assert_never(view)
    return Period(view, on, today, start, end, zone)


def path_of(view: View, on: date) -> str:
    return f"{PATH}?view={view.value}&on={on.isoformat()}"


def covered_days(entry: CalendarEntry, zone: str) -> SpanningEntry[str]:
    """The days that an entry covers. An all-day entry has the same dates in every zone. An entry that ends during the
    night after its first day counts for that first day only.
    """
    zone_name = entry.time_zone if entry.is_all_day else zone
    first = local_of(entry.starts_at, zone_name).date()
    ends = local_of(Instant(max(entry.starts_at, entry.ends_at - 1)), zone_name)
    last = ends.date()
    if not entry.is_all_day and last == first + timedelta(days=1) and ends.hour < NIGHT_ENDS and is_within_a_day(entry):
        last = first
    return SpanningEntry(entry.key, first, min(last, first + timedelta(days=MAX_DAYS_OF_ONE - 1)))


def is_within_a_day(entry: CalendarEntry) -> bool:
    return entry.ends_at - entry.starts_at < DAY


def look_of(
    entry: CalendarEntry,
    zone: str,
    tones: Mapping[str, int],
    title_languages: Mapping[str, str] = MappingProxyType({}),
) -> EntryLook:
    """The look of an entry. ``tones`` has the tones of the events on this site, and ``title_languages`` the languages of
    their titles, as ``EntryLook.language``.
    """
    is_other = entry.kind is EntryKind.SUBSCRIBED
    look = "other" if is_other else "sure" if entry.kind in _SURE and not entry.is_draft else "maybe"
    return EntryLook(
        key=entry.key,
        title=title_of(entry),
        path=event_path(entry.slug) if entry.slug else "",
        look=look,
        tone=entry.tone if is_other else tones.get(entry.key, 0),
        clock="" if entry.is_all_day else formatting.clock(local_of(entry.starts_at, zone)),
        place=entry.place,
        words=words_of(entry),
        is_cancelled=entry.is_cancelled,
        language=title_languages.get(entry.key, "") if entry.title else "",
    )


def title_of(entry: CalendarEntry) -> str:
    return entry.title or (gettext("Busy") if entry.kind is EntryKind.SUBSCRIBED else gettext("Untitled draft"))


def words_of(entry: CalendarEntry) -> str:
    """The viewer's relation to the event, or the name of the calendar that the entry comes from."""
    if entry.is_cancelled:
        return gettext("Cancelled")
    return gettext("Your draft") if entry.is_draft else str(WORDS.get(entry.kind, entry.calendar))


def clock_on(entry: CalendarEntry, day: date, zone: str) -> str:
    """The time to show on this day: ``19:00–21:30``, ``19:00 – Sun 29 November``, ``until 02:00`` or ``All day``."""
    days = covered_days(entry, zone)
    if entry.is_all_day:
        is_last = days.last == day
        return gettext("All day") if is_last else gettext("Until %(day)s", day=formatting.short_day(days.last))
    starts, ends = local_of(entry.starts_at, zone), local_of(entry.ends_at, zone)
    if starts.date() != day:
        return gettext("until %(time)s", time=formatting.clock(ends)) if ends.date() == day else gettext("All day")
    if not entry.has_end:
        return formatting.clock(starts)
    if is_within_a_day(entry):
        return "–".join(formatting.clocks(starts, ends))
    return f"{formatting.clock(starts)} – {formatting.short_day(ends)}"


def start_in_own_zone(entry: CalendarEntry, zone: str) -> str:
    """The start in the event's own time zone, if that zone differs from the viewer's: ``13:00 New York time``."""
    if entry.is_all_day or entry.kind is EntryKind.SUBSCRIBED:
        return ""
    starts_at_event, starts_in_zone = local_of(entry.starts_at, entry.time_zone), local_of(entry.starts_at, zone)
    if starts_at_event.utcoffset() == starts_in_zone.utcoffset():
        return ""
    return f"{formatting.clock(starts_at_event)} {formatting.zone_label(starts_at_event, entry.time_zone)}"


def entries_label(day: date, count: int) -> str:
    """The full date and the number of entries, for screen readers."""
    words = formatting.day(day)
    if not count:
        return gettext("%(day)s, no events", day=words)
    return ngettext("%(day)s, %(number)s event", "%(day)s, %(number)s events", count, day=words)


def clock_changes(days: Iterable[date], zone: str) -> list[str]:
    """A sentence for each day on which the clocks change."""
    changes = []
    for day in days:
        before = local_of(midnight(day, zone), zone).utcoffset()
        after = local_of(midnight(day + timedelta(days=1), zone), zone).utcoffset()
        if before is None or after is None or before == after:
            continue
        words = formatting.short_day(day)
        changes.append(
            gettext("Clocks go forward on %(day)s.", day=words)
            if after > before
            else gettext("Clocks go back on %(day)s.", day=words)
        )
    return changes


def overlaps_on(day: date, zone: str, entries: Sequence[CalendarEntry], most: int) -> list[str]:
    """A sentence for each pair of entries that overlap on this day, up to ``most``. At least one entry of each pair is
    an event on this site.
    """
    start, end = midnight(day, zone), midnight(day + timedelta(days=1), zone)
    overlaps: list[str] = []
    open_: list[CalendarEntry] = []
    for entry in entries:
        if not _takes_time(entry) or entry.ends_at <= start or entry.starts_at >= end:
            continue
        open_ = [other for other in open_ if other.ends_at > entry.starts_at]
        for other in open_:
            if entry.kind is other.kind is EntryKind.SUBSCRIBED or _is_same(entry, other) or _is_same(other, entry):
                continue
            if len(overlaps) == most:
                return overlaps
            overlaps.append(
                gettext(
                    "“%(first)s” and “%(second)s” overlap from %(start)s to %(end)s.",
                    first=title_of(other),
                    second=title_of(entry),
                    start=formatting.clock(local_of(Instant(max(entry.starts_at, start)), zone)),
                    end=formatting.clock(local_of(Instant(min(entry.ends_at, other.ends_at)), zone)),
                )
            )
        open_.append(entry)
    return overlaps


def _takes_time(entry: CalendarEntry) -> bool:
    """Whether the entry takes up time. Events that the viewer is only interested in count too."""
    return entry.is_busy or (entry.kind is EntryKind.INTERESTED and not entry.is_cancelled)


def _is_same(one: CalendarEntry, other: CalendarEntry) -> bool:
    return ExcludedEvent(one.key, one.title, one.starts_at).is_entry(other)
