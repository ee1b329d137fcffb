"""The series of a person or group with their stored dates, for a calendar file, within limits."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal

from groundwork.clock import DAY, Instant, to_datetime
from groundwork.database.transaction import Reader
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.events.queries import columns_of, event_of
from openmeet.domain.series.model import Series
from openmeet.domain.series.queries import COLUMNS, series_of

# Limits per file. If they are exceeded, past dates are left out first, and then whole series.
MAX_SERIES: Final = 200
MAX_DATES: Final = 5_000
# A date that has started is shown for one more day even if past dates are left out.
_RECENT: Final = DAY
# Tolerance between a date's name, which is a local time, and its actual start.
_MARGIN: Final = timedelta(days=2)

# Given a table name, the SQL condition for events that the reader may see.
Seen = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class WholeSeries:
    """A series with its stored dates. ``stored`` has the dates whose start, or whose start according to the rule, is
    after ``begins``. ``seen`` are those that the reader may see.
    """

    series: Series
    stored: Sequence[Event]
    seen: frozenset[EventId]
    begins: Instant

    @classmethod
    def of(cls, series: Series, dates: Sequence[tuple[Event, bool]], begins: Instant) -> "WholeSeries":
        """Build it from dates, each with a flag whether the reader may see it."""
        return cls(series, [one for one, _ in dates], frozenset(one.id for one, is_seen in dates if is_seen), begins)

    @property
    def shown(self) -> list[Event]:
        """The dates that the reader may see."""
        return [event for event in self.stored if event.id in self.seen]


async def listable_series(
    reader: Reader, column: Literal["group_id", "user_id"], owner: str, seen: Seen, values: Mapping[str, object]
) -> list[Series]:
    """Series that were not deleted. Those with a coming visible date are first, then the newest."""
    rows = await reader.fetch(
        f"select {COLUMNS} from event_series where event_series.{column} = :owner and deleted_at is null"
        " order by case when exists (select 1 from events e where e.series_id = event_series.id and e.over_at > :now "
        f"and {seen('e')}) then 0 else 1 end, created_at desc, id desc limit :most",
        **values,
        owner=owner,
        now=reader.now,
        most=MAX_SERIES,
    )
    return [series_of(row) for row in rows]


async def with_stored_dates(
    reader: Reader, series: Sequence[Series], since: Instant, seen: Seen, values: Mapping[str, object]
) -> list[WholeSeries]:
    """The series that fit into the file, with their dates from ``since`` onward, or only recent and coming ones if
    those do not fit. Runs three statements at most.
    """
    recent = Instant(reader.now - _RECENT)
    counts = await _date_counts(reader, series, since, recent)
    remaining = MAX_DATES
    included = [one for one in series if (remaining := remaining - counts.get(one.id, (0, 0))[1]) >= 0]
    begins: dict[str, Instant] = {}
    remaining = MAX_DATES - sum(counts.get(one.id, (0, 0))[1] for one in included)
    for one in included:
        whole, coming = counts.get(one.id, (0, 0))
        begins[one.id] = since if whole - coming <= remaining else recent
        remaining -= whole - coming if begins[one.id] == since else 0
    dates: dict[str, list[tuple[Event, bool]]] = {one.id: [] for one in included}
    for begin in sorted(set(begins.values())):
        some = [series_id for series_id, at in begins.items() if at == begin]
        for event, is_seen in await _stored_dates(reader, some, begin, seen, values):
            assert event.position_in_series is not None  # noqa: S101  # asked for dates of series
            dates[event.position_in_series.series_id].append((event, is_seen))
    return [WholeSeries.of(one, dates[one.id], begins[one.id]) for one in included]


async def _date_counts(
    reader: Reader, series: Sequence[Series], since: Instant, recent: Instant
) -> dict[str, tuple[int, int]]:
    """The number of dates of each series, with and without past dates."""
    if not series:
        return {}
    rows = await reader.fetch(
        f"select e.series_id, count(*) as n, sum(case when {_starts_since('recent')} then 1 else 0 end) as coming "
        f"from events e where e.series_id in :ids and {_starts_since('since')} group by e.series_id "
        "order by e.series_id",
        ids=[one.id for one in series],
        **_bounds("since", since),
        **_bounds("recent", recent),
    )
    return {row["series_id"]: (int(row["n"]), int(row["coming"])) for row in rows}


async def _stored_dates(
    reader: Reader, series_ids: Sequence[str], since: Instant, seen: Seen, values: Mapping[str, object]
) -> list[tuple[Event, bool]]:
    """All stored dates after ``since``, ordered by series and start, each with a flag whether the reader may see it."""
    rows = await reader.fetch(
        f"select {columns_of('e')}, case when {seen('e')} then 1 else 0 end as is_seen from events e"
        f" where e.series_id in :ids and {_starts_since('since')} order by e.series_id, e.starts_at, e.id",
        **values,
        ids=list(series_ids),
        **_bounds("since", since),
    )
    return [(event_of(row), bool(row["is_seen"])) for row in rows]


def _starts_since(name: str) -> str:
    """SQL condition: the date starts after this instant, or its name is not before that day."""
    return f"(e.starts_at > :{name} or e.original_date >= :{name}_day)"


def _bounds(name: str, since: Instant) -> dict[str, object]:
    return {name: since, f"{name}_day": (to_datetime(since) - _MARGIN).date().isoformat()}
