"""Discover as a month: the public events that match a search, as dots and bars by the day on which they start, and the
events of the chosen day below. A search for a day has the same events as the day.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final

from groundwork.database.transaction import Reader
from openmeet.domain.covers.model import tone_for
from openmeet.domain.events.model import Event, EventId, EventStatus
from openmeet.domain.events.queries import several
from openmeet.domain.events.time_and_place import local_time, place_label
from openmeet.domain.page_paths import event_path
from openmeet.domain.search import search
from openmeet.i18n import formatting
from openmeet.i18n.catalogue import gettext
from openmeet.web.calendar_layout.grid import DAYS, SpanningEntry
from openmeet.web.calendar_layout.month_view import MonthCell, cells, month_layout
from openmeet.web.calendar_layout.view import EntryLook, Period, View, period_of
from openmeet.web.events.listing import CardList, EventCard, day_cards

# More events than this are neither read nor counted. The page says so and asks for filters.
MAX_IN_A_MONTH: Final = 1_000
# Events of the chosen day. A link leads to the others.
MAX_ON_A_DAY: Final = 30


@dataclass(frozen=True, slots=True)
class DiscoverMonth:
    """A month of Discover. ``count`` is the number of events in the month itself, without the days of other months in
    the table. ``is_cut``: there are more than could be read. ``before`` and ``after`` are URLs. ``cards`` are the events
    of the chosen day, of which ``further`` are not shown.
    """

    period: Period
    weeks: Sequence[Sequence[MonthCell]]
    week_days: Sequence[tuple[str, str]]
    count: int
    is_cut: bool
    before: str
    after: str
    this_month: str
    day_words: str
    day_relative: str
    cards: Sequence[EventCard]
    further: int
    day_list: str


@dataclass(frozen=True, slots=True)
class MonthPaths:
    """Paths of the links in a month: to another month (its first day), to the month with another day chosen, and to the
    search for a day.
    """

    month: Callable[[date], str]
    day: Callable[[date], str]
    day_list: Callable[[date], str]


async def read_month(
    reader: Reader,
    query: search.SearchQuery,
    period: Period,
    *,
    chosen: date | None,
    card_list: CardList,
    paths: MonthPaths,
) -> DiscoverMonth:
    """Read the events of a month. ``query`` may have any filters except days. Without a chosen day, it is today, otherwise
    the first day with an event.
    """
    found = await search.local_days(reader, in_period(query, period), MAX_IN_A_MONTH + 1)
    is_cut = len(found) > MAX_IN_A_MONTH
    of_month = found[:MAX_IN_A_MONTH]
    layout = month_layout(period, [SpanningEntry(str(event_id), day, day) for event_id, day in of_month])
    events = await several(reader, [EventId(key) for key in layout.keys])
    on = _chosen_day(period, chosen, [day for _, day in of_month])
    ids_on_day = [event_id for event_id, day in of_month if day == on]
    on_day = {event.id: event for event in await several(reader, ids_on_day[:MAX_ON_A_DAY])}
    shown = [on_day[event_id] for event_id in ids_on_day if event_id in on_day]
    looks: dict[str, EntryLook] = {event.id: _look_of(event) for event in events}
    return DiscoverMonth(
        period=period,
        weeks=cells(period, layout, looks, paths.day, chosen=on),
        week_days=[(formatting.weekday(day.weekday()), formatting.weekday_in_short(day)) for day in period.days[:DAYS]],
        count=sum(1 for _, day in of_month if day.month == period.on.month),
        is_cut=is_cut,
        before=paths.month(period.before),
        after=paths.month(period.after),
        this_month=paths.month(period.today),
        day_words=formatting.long_day(on),
        day_relative=formatting.relative_day(on, period.today),
        cards=[card for day in await day_cards(reader, shown, card_list) for card in day.items],
        further=len(ids_on_day) - len(shown),
        day_list=paths.day_list(on),
    )


def _chosen_day(period: Period, chosen: date | None, days: Sequence[date]) -> date:
    if chosen is not None and period.start <= chosen < period.end:
        return chosen
    if period.today.replace(day=1) == period.on.replace(day=1):
        return period.today
    return min((day for day in days if day.month == period.on.month), default=period.on.replace(day=1))


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
        clock="" if event.starts_at is None else formatting.clock(local_time(event, event.starts_at)),
        place="",
        words=gettext("Cancelled") if is_cancelled else place_label(event),
        is_cancelled=is_cancelled,
    )
