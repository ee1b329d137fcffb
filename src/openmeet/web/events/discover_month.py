"""Discover as a month: the public events that match a search, as dots and bars by the day on which they start. Each day
links to its list, so its number of events is that of the list.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final

from groundwork.database.transaction import Reader
from openmeet.domain.covers.model import tone_for
from openmeet.domain.events.model import Event, EventId, EventStatus
from openmeet.domain.events.queries import several
from openmeet.domain.events.time_and_place import place_label
from openmeet.domain.page_paths import event_path
from openmeet.domain.search import search
from openmeet.i18n import formatting
from openmeet.i18n.catalogue import gettext
from openmeet.recurrence.wall_time import local_of
from openmeet.web.calendar_layout.grid import DAYS, Covered
from openmeet.web.calendar_layout.month_view import MonthCell, cells, month_layout
from openmeet.web.calendar_layout.view import EntryLook, Period, View, period_of

# More events than this are neither read nor counted. The page says so and asks for filters.
MOST_IN_A_MONTH: Final = 1_000


@dataclass(frozen=True, slots=True)
class DiscoverMonth:
    """A month of Discover. ``count`` is the number of events in the month itself, without the days of other months in
    the table. ``is_cut``: there are more than could be read. ``before`` and ``after`` are URLs.
    """

    period: Period
    weeks: Sequence[Sequence[MonthCell]]
    week_days: Sequence[tuple[str, str]]
    count: int
    is_cut: bool
    before: str
    after: str
    this_month: str


async def read_month(
    reader: Reader,
    query: search.SearchQuery,
    period: Period,
    *,
    month_path: Callable[[date], str],
    day_path: Callable[[date], str],
) -> DiscoverMonth:
    """Read the events of a month. ``query`` may have any filters except days."""
    found = await search.local_days(reader, in_period(query, period), MOST_IN_A_MONTH + 1)
    is_cut = len(found) > MOST_IN_A_MONTH
    of_month = found[:MOST_IN_A_MONTH]
    layout = month_layout(period, [Covered(str(event_id), day, day) for event_id, day in of_month])
    events = await several(reader, [EventId(key) for key in layout.keys])
    looks: dict[str, EntryLook] = {event.id: _look_of(event) for event in events}
    return DiscoverMonth(
        period=period,
        weeks=cells(period, layout, looks, day_path),
        week_days=[(formatting.weekday(day.weekday()), formatting.weekday_in_short(day)) for day in period.days[:DAYS]],
        count=sum(1 for _, day in of_month if day.month == period.on.month),
        is_cut=is_cut,
        before=month_path(period.before),
        after=month_path(period.after),
        this_month=month_path(period.today),
    )


def month_from(first: date, today: date, zone: str, week_start: int | None) -> Period:
    """The weeks of a month. ``week_start`` is the reader's choice of the first weekday, if any."""
    return period_of(
        View.MONTH, first, today, zone, formatting.first_weekday(zone) if week_start is None else week_start
    )


def in_period(query: search.SearchQuery, period: Period) -> search.SearchQuery:
    """The same search for all dates of series on the days of the table."""
    return replace(query, first=period.start, last=period.end - timedelta(days=1), once_per_series=False)


def _look_of(event: Event) -> EntryLook:
    is_cancelled = event.status is EventStatus.CANCELLED
    return EntryLook(
        key=event.id,
        title=event.title,
        path=event_path(event.slug),
        look="sure",
        tone=tone_for(event.content),
        clock="" if event.starts_at is None else formatting.clock(local_of(event.starts_at, event.time_zone)),
        place="",
        words=gettext("Cancelled") if is_cancelled else place_label(event),
        is_cancelled=is_cancelled,
    )
