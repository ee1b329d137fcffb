"""What the page of an event says about its series: the rule, and links to the previous and next date."""

from collections.abc import Sequence
from dataclasses import dataclass

from groundwork.clock import DAY, Instant
from groundwork.database.transaction import Reader
from openmeet.domain.events.model import Event
from openmeet.domain.events.values import Visibility
from openmeet.domain.page_paths import event_path, series_path
from openmeet.domain.series import agenda, visibility
from openmeet.domain.series.agenda import AgendaOccurrence
from openmeet.domain.series.materialize import with_series
from openmeet.domain.series.model import Series
from openmeet.domain.users.model import UserId
from openmeet.i18n import formatting
from openmeet.recurrence.describe import describe
from openmeet.recurrence.wall_time import local_of

_AHEAD = 100 * 366 * DAY
# How many cancelled or past dates are passed over to find the next one that takes place.
_MAX_SKIPPED = 30


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Link to the previous or next date of the series. ``when``: see ``when_label``."""

    path: str
    when: str
    is_cancelled: bool


@dataclass(frozen=True, slots=True)
class SeriesContext:
    """The series that an event belongs to. ``sentence`` says how it repeats. ``before`` and ``after`` are the dates
    next to the event; ``next_open`` is the first one after it that is neither cancelled nor over.
    """

    title: str
    path: str
    edit_path: str
    sentence: str
    has_feed: bool
    before: Neighbour | None
    after: Neighbour | None
    next_open: Neighbour | None


async def series_context_of(reader: Reader, event: Event, viewer: UserId | None) -> SeriesContext | None:
    """The series of an event, with the neighbouring dates. None if it has none or the viewer may not see it."""
    series = await with_series(reader, event)
    if series is None or event.starts_at is None or event.position_in_series is None or series.deleted_at is not None:
        return None
    if not await visibility.may_see(reader, series, viewer):
        return None
    before = await agenda.before(reader, series, viewer, event.starts_at)
    end = Instant(event.starts_at + _AHEAD)
    after = await agenda.between(reader, series, viewer, Instant(event.starts_at + 1), end, limit=1)
    next_open = await _next_open(reader, series, viewer, Instant(event.starts_at + 1), after)
    path = series_path(series.slug)
    return SeriesContext(
        series.content.title,
        path,
        f"{path}/edit?date={event.position_in_series.original_date}",
        describe(series.timing.pattern),
        series.visibility is not Visibility.PRIVATE,
        _neighbour(series, before) if before else None,
        _neighbour(series, after[0]) if after and after[0].opens_at(reader.now) is None else None,
        _neighbour(series, next_open) if next_open and next_open.opens_at(reader.now) is None else None,
    )


async def _next_open(
    reader: Reader, series: Series, viewer: UserId | None, start: Instant, after: Sequence[AgendaOccurrence]
) -> AgendaOccurrence | None:
    """The first date from ``start`` on that is neither cancelled nor over. ``after``: the first date from then on."""
    if not after or _takes_place(after[0], reader.now):
        return after[0] if after else None
    upcoming = await agenda.between(
        reader, series, viewer, max(start, Instant(reader.now - DAY)), Instant(start + _AHEAD), limit=_MAX_SKIPPED
    )
    return next((one for one in upcoming if _takes_place(one, reader.now)), None)


def _takes_place(line: AgendaOccurrence, now: Instant) -> bool:
    return not (line.is_cancelled or line.is_over(now))


def _neighbour(series: Series, line: AgendaOccurrence) -> Neighbour:
    return Neighbour(date_path(series, line), when_label(line), line.is_cancelled)


def date_path(series: Series, line: AgendaOccurrence) -> str:
    """Path of a date's page. For a date that is not stored yet, of the page that creates it."""
    if line.event is not None:
        return event_path(line.event.slug)
    return f"{series_path(series.slug)}/dates/{line.original_date}"


def when_label(line: AgendaOccurrence) -> str:
    """``Tue 3 March, 18:00``. For an all-day date only the day."""
    starts = local_of(line.details.starts_at, line.details.time_zone)
    day = formatting.short_day(starts)
    return day if line.details.is_all_day else formatting.day_and_time(day, starts)
