"""The series page for one viewer: all decisions are made here, the template only places the values."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from markupsafe import Markup

from groundwork.clock import Instant
from openmeet.domain.events.edits import ENDS, STARTS
from openmeet.domain.events.model import NOWHERE, EventId, Mode, public_place
from openmeet.domain.events.time_words import clock_words
from openmeet.domain.series.agenda import AgendaOccurrence
from openmeet.domain.series.model import OPENED_AHEAD_WORDS, Going, Series, SeriesStatus
from openmeet.domain.series.undo import Undo
from openmeet.i18n import formatting
from openmeet.recurrence.describe import describe
from openmeet.recurrence.wall_time import local_of
from openmeet.web.events.forms import LABELS
from openmeet.web.events.listing import STATUS_WORDS, mine_words, place_lines
from openmeet.web.events.series_context import address_of

_DIFFERS = {
    STARTS: "Another time",
    ENDS: "Another end",
    "title": "",
    "venue": "Another place",
    "mode": "Held otherwise",
}


@dataclass(frozen=True, slots=True)
class OccurrenceListItem:
    """One date in the list; ``path`` is empty while it is too far ahead for a page. ``chips`` are pairs of text and
    tone.
    """

    path: str
    original_date: str
    day: Markup | str
    clock: str
    title: str
    chips: list[tuple[str, str]]
    is_cancelled: bool
    reason: str
    is_next: bool = False


def rows_of(
    series: Series, lines: Sequence[AgendaOccurrence], now: Instant, standing: Going | None = None
) -> list[OccurrenceListItem]:
    """The list of dates, in order. ``standing``: the viewer has a standing RSVP for dates materialized later."""
    return [_row(series, line, now, standing) for line in lines]


def view_of(
    series: Series,
    coming: Sequence[AgendaOccurrence],
    *,
    is_host: bool,
    limited_ids: Collection[EventId],
    limits_new: bool,
) -> dict[str, object]:
    """The page's header. ``limited_ids``: stored dates with limited capacity; ``limits_new``: so are new dates."""
    template = series.template
    exact = NOWHERE if template.mode is Mode.ONLINE else template.venue
    place = exact if is_host else public_place(exact, template.place_audience)
    limited = [
        line
        for line in coming
        if not line.is_cancelled and (line.event.id in limited_ids if line.event is not None else limits_new)
    ]
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
        "limits_new": limits_new,
        "limited_words": _few(limited),
    }


def _few(lines: Sequence[AgendaOccurrence]) -> str:
    """The first of them as text: ``Tue 3 March, Tue 10 March and 4 more``."""
    named = [formatting.short_day(local_of(line.details.starts_at, line.details.time_zone)) for line in lines[:3]]
    more = len(lines) - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "")


@dataclass(frozen=True, slots=True)
class Undoable:
    """The host's last action, and until when it can be undone: with the zone, because hosts are anywhere."""

    act: str
    until: Markup


def undo_of(undo: Undo, series: Series) -> Undoable:
    """The undo button."""
    until = local_of(undo.expires_at, series.zone_name)
    words = f"{formatting.clock(until)} {formatting.zone_words(until, series.zone_name)}"
    return Undoable(undo.act, formatting.time_tag(undo.expires_at, words))


def next_of(coming: Sequence[AgendaOccurrence]) -> AgendaOccurrence | None:
    """The next date that takes place."""
    return next((line for line in coming if not line.is_cancelled), None)


def _row(series: Series, line: AgendaOccurrence, now: Instant, standing: Going | None) -> OccurrenceListItem:
    details = line.details
    starts = local_of(details.starts_at, details.time_zone)
    clock = formatting.clock(starts)
    if details.is_all_day:
        clock = clock_words(details)
    elif details.ends_at is not None:
        clock += f"–{formatting.clock(local_of(details.ends_at, details.time_zone))}"
    day = formatting.short_day(starts)
    if starts.year != local_of(now, details.time_zone).year:
        day += f" {starts.year}"
    return OccurrenceListItem(
        path="" if line.opens_at(now) else address_of(series, line),
        original_date=line.original_date,
        day=formatting.time_tag(details.starts_at, day),
        clock=clock,
        title="" if details.title == series.template.title else details.title,
        chips=list(_chips(line, standing)),
        is_cancelled=line.is_cancelled,
        reason=line.event.status_reason if line.event is not None and line.is_cancelled else "",
    )


def _chips(line: AgendaOccurrence, standing: Going | None) -> list[tuple[str, str]]:
    event = line.event
    found: list[tuple[str, str]] = []
    if event is None:
        if standing is not None:
            found.append(("Added for you later", "plain"))
        return found
    if STATUS_WORDS[event.status]:
        found.append((STATUS_WORDS[event.status], "warn"))
    for name in line.differs_in:
        words = _DIFFERS.get(name, f"Own {LABELS.get(name, name).lower().rstrip('?')}" if name == "capacity" else "")
        if words:
            found.append((words, "plain"))
    mine = "" if line.mine is None else mine_words(line.mine.status, is_past=event.is_cancelled)
    if mine:
        found.append((mine, "good"))
    if event.capacity is not None:
        taken = f"{line.counts.seats} of {event.capacity}"
        found.append((f"Full: {taken}" if line.counts.seats >= event.capacity else f"{taken} places taken", "plain"))
    elif line.counts.going:
        found.append((f"{line.counts.going} going", "plain"))
    return found
