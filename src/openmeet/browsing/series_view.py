"""A series as its page shows it to one viewer: everything decided here, the template only places it."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from markupsafe import Markup

from groundwork.clock import DAY, Instant
from groundwork.database.transaction import Reader
from openmeet.attendance.model import AttendanceStatus
from openmeet.browsing.listing import MINE_WORDS, STATUS_WORDS, place_lines
from openmeet.events.differing import ENDS, STARTS
from openmeet.events.labels import LABELS
from openmeet.events.model import NOWHERE, Event, Mode, public_place
from openmeet.events.moments import clock_words
from openmeet.recurrence.sentence import describe
from openmeet.recurrence.wall_time import local_of
from openmeet.series import agenda, seeing
from openmeet.series.agenda import Line
from openmeet.series.model import OPENED_AHEAD_WORDS, Going, Series, SeriesStatus
from openmeet.series.storing import with_series
from openmeet.series.undos import Undo
from openmeet.site import times
from openmeet.users.model import UserId

_AHEAD = 100 * 366 * DAY

_DIFFERS = {
    STARTS: "Another time",
    ENDS: "Another end",
    "title": "",
    "venue": "Another place",
    "mode": "Held otherwise",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One date in the list; ``path`` is empty while it is too far ahead for a page. ``chips`` are pairs of words and tone."""

    path: str
    original_date: str
    day: Markup | str
    clock: str
    title: str
    chips: list[tuple[str, str]]
    is_cancelled: bool
    reason: str
    is_next: bool = False


@dataclass(frozen=True, slots=True)
class Neighbour:
    """The date before or behind another."""

    path: str
    when: str


@dataclass(frozen=True, slots=True)
class Within:
    """The series that an event is a date of, as the event's page shows it."""

    title: str
    path: str
    edit_path: str
    sentence: str
    before: Neighbour | None
    behind: Neighbour | None


async def within(reader: Reader, event: Event, viewer: UserId | None) -> Within | None:
    """The series of an event with the dates around it; None for an event of its own, or where the series is not theirs to see."""
    series = await with_series(reader, event)
    if series is None or event.starts_at is None or event.place_in_series is None or series.deleted_at is not None:
        return None
    if not await seeing.may_see(reader, series, viewer):
        return None
    before = await agenda.before(reader, series, viewer, event.starts_at)
    end = Instant(event.starts_at + _AHEAD)
    behind = await agenda.between(reader, series, viewer, Instant(event.starts_at + 1), end, limit=1)
    path = f"/series/{quote(series.slug)}"
    return Within(
        series.template.title,
        path,
        f"{path}/edit?date={event.place_in_series.original_date}",
        describe(series.timing.pattern),
        _neighbour(series, before) if before else None,
        _neighbour(series, behind[0]) if behind and behind[0].opens_at(reader.now) is None else None,
    )


def _neighbour(series: Series, line: Line) -> Neighbour:
    return Neighbour(address_of(series, line), when_words(line))


def rows_of(series: Series, lines: Sequence[Line], now: Instant, standing: Going | None = None) -> list[Row]:
    """The list of dates, in its order. ``standing``: the viewer goes to every date, also to those that are not stored yet."""
    return [_row(series, line, now, standing) for line in lines]


def view_of(series: Series, coming: Sequence[Line], *, is_host: bool) -> dict[str, object]:
    """What the head of the page says."""
    template = series.template
    exact = NOWHERE if template.mode is Mode.ONLINE else template.venue
    place = exact if is_host else public_place(exact, template.place_audience)
    limited = [line for line in coming if line.details.capacity is not None and not line.is_cancelled]
    waiting = [line for line in coming if line.mine is not None and line.mine.status is AttendanceStatus.WAITLISTED]
    return {
        "series": series,
        "address": f"/series/{quote(series.slug)}",
        "sentence": describe(series.timing.pattern),
        "zone_words": "UTC"
        if series.zone_name == "UTC"
        else f"{series.zone_name.rpartition('/')[2].replace('_', ' ')} time",
        "place": place,
        "place_lines": place_lines(template.mode, place, hides_place=place != exact),
        "hides_place": place != exact,
        "is_host": is_host,
        "is_cancelled": series.status is SeriesStatus.CANCELLED,
        "is_paused": series.status is SeriesStatus.PAUSED,
        "opened_ahead": OPENED_AHEAD_WORDS,
        "limited": len(limited),
        "limited_words": _few(limited),
        "waiting": len(waiting),
    }


def _few(lines: Sequence[Line]) -> str:
    """The first of them in words: ``Tue 3 March, Tue 10 March and 4 more``."""
    named = [times.short_day(local_of(line.details.starts_at, line.details.time_zone)) for line in lines[:3]]
    more = len(lines) - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "")


@dataclass(frozen=True, slots=True)
class Undoable:
    """What the host did last, and until when it can be taken back: the time with its zone, because hosts are anywhere."""

    act: str
    until: Markup


def undo_of(undo: Undo, series: Series) -> Undoable:
    """The button to take it back, in words."""
    until = local_of(undo.expires_at, series.zone_name)
    words = f"{times.clock(until)} {times.zone_words(until, series.zone_name)}"
    return Undoable(undo.act, times.time_tag(undo.expires_at, words))


def next_of(coming: Sequence[Line]) -> Line | None:
    """The next date that takes place."""
    return next((line for line in coming if not line.is_cancelled), None)


def address_of(series: Series, line: Line) -> str:
    """Where a date has its page; for a computed one, where it gets one."""
    if line.event is not None:
        return f"/events/{quote(line.event.slug)}"
    return f"/series/{quote(series.slug)}/dates/{line.original_date}"


def when_words(line: Line) -> str:
    """``Tue 3 March, 18:00``; of a whole day the day alone."""
    starts = local_of(line.details.starts_at, line.details.time_zone)
    day = times.short_day(starts)
    return day if line.details.is_all_day else f"{day}, {times.clock(starts)}"


def _row(series: Series, line: Line, now: Instant, standing: Going | None) -> Row:
    details = line.details
    starts = local_of(details.starts_at, details.time_zone)
    clock = times.clock(starts)
    if details.is_all_day:
        clock = clock_words(details)
    elif details.ends_at is not None:
        clock += f"–{times.clock(local_of(details.ends_at, details.time_zone))}"
    day = times.short_day(starts)
    if starts.year != local_of(now, details.time_zone).year:
        day += f" {starts.year}"
    return Row(
        path="" if line.opens_at(now) else address_of(series, line),
        original_date=line.original_date,
        day=times.time_tag(details.starts_at, day),
        clock=clock,
        title="" if details.title == series.template.title else details.title,
        chips=list(_chips(line, standing)),
        is_cancelled=line.is_cancelled,
        reason=line.event.status_reason if line.event is not None and line.is_cancelled else "",
    )


def _chips(line: Line, standing: Going | None) -> list[tuple[str, str]]:
    event = line.event
    found: list[tuple[str, str]] = []
    if event is None:
        if standing is not None and (line.details.capacity is None or standing.with_limited):
            found.append(("Going to every date", "good"))
        return found
    if STATUS_WORDS[event.status]:
        found.append((STATUS_WORDS[event.status], "warn"))
    for name in line.differs_in:
        words = _DIFFERS.get(name, f"Own {LABELS.get(name, name).lower().rstrip('?')}" if name == "capacity" else "")
        if words:
            found.append((words, "plain"))
    if line.mine is not None and MINE_WORDS[line.mine.status]:
        found.append((MINE_WORDS[line.mine.status], "good"))
    if event.capacity is not None:
        taken = f"{line.counts.seats} of {event.capacity}"
        found.append((f"Full: {taken}" if line.counts.seats >= event.capacity else f"{taken} places taken", "plain"))
    elif line.counts.going:
        found.append((f"{line.counts.going} going", "plain"))
    return found
