"""The series of a group, or of somebody who hosts, with their dates, for a calendar file: as many as a file is to have, and no more.

A file is read again and again by programs, some of them by anybody's. Series with dates to come are taken first, then the newest; those
beyond are told date by date, as single events. Where the dates of those that are taken are too many, some series begin later: a rule is
never told without its exceptions.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Final, Literal

from groundwork.clock import DAY, Instant, to_datetime
from groundwork.database.transaction import Reader
from openmeet.domain.events.model import Event
from openmeet.domain.events.queries import columns_of, event_of
from openmeet.domain.series.model import Series
from openmeet.domain.series.queries import COLUMNS, series_of
from openmeet.web.series.feeds import WholeSeries

# Of one file; what is beyond the dates is left out of the past, and then whole series are.
MOST_SERIES: Final = 200
MOST_DATES: Final = 5_000
# What has begun is told for a day, also of a series whose past is left out.
_RECENT: Final = DAY
# A date may stand at another time than its name says, in a zone that is ahead of ours.
_MARGIN: Final = timedelta(days=2)

# The condition under which the reader sees an event, of the name of the table.
Seen = Callable[[str], str]


async def candidates(
    reader: Reader, column: Literal["group_id", "user_id"], owner: str, seen: Seen, values: Mapping[str, object]
) -> list[Series]:
    """The series that were not deleted, of which something is to come that the reader sees first, then the newest."""
    rows = await reader.fetch(
        f"select {COLUMNS} from event_series where event_series.{column} = :owner and deleted_at is null"
        f" order by case when exists (select 1 from events e where e.series_id = event_series.id and e.over_at > :now and {seen('e')})"
        " then 0 else 1 end, created_at desc, id desc limit :most",
        **values,
        owner=owner,
        now=reader.now,
        most=MOST_SERIES,
    )
    return [series_of(row) for row in rows]


async def gathered(
    reader: Reader, series: Sequence[Series], since: Instant, seen: Seen, values: Mapping[str, object]
) -> list[WholeSeries]:
    """Those of these series that the file has whole, with their dates from ``since`` on, or from now on; two statements or three."""
    recent = Instant(reader.now - _RECENT)
    counts = await _counts(reader, series, since, recent)
    left = MOST_DATES
    taken = [one for one in series if (left := left - counts.get(one.id, (0, 0))[1]) >= 0]
    begins: dict[str, Instant] = {}
    left = MOST_DATES - sum(counts.get(one.id, (0, 0))[1] for one in taken)
    for one in taken:
        whole, coming = counts.get(one.id, (0, 0))
        begins[one.id] = since if whole - coming <= left else recent
        left -= whole - coming if begins[one.id] == since else 0
    dates: dict[str, list[tuple[Event, bool]]] = {one.id: [] for one in taken}
    for begin in sorted(set(begins.values())):
        some = [series_id for series_id, at in begins.items() if at == begin]
        for event, is_seen in await _dates(reader, some, begin, seen, values):
            assert event.place_in_series is not None  # noqa: S101  # asked for dates of series
            dates[event.place_in_series.series_id].append((event, is_seen))
    return [WholeSeries.of(one, dates[one.id], begins[one.id]) for one in taken]


async def _counts(
    reader: Reader, series: Sequence[Series], since: Instant, recent: Instant
) -> dict[str, tuple[int, int]]:
    """How many dates each would have, and how many of them if its past were left out."""
    if not series:
        return {}
    rows = await reader.fetch(
        f"select e.series_id, count(*) as n, sum(case when {_since('recent')} then 1 else 0 end) as coming from events e"
        f" where e.series_id in :ids and {_since('since')} group by e.series_id order by e.series_id",
        ids=[one.id for one in series],
        **_bounds("since", since),
        **_bounds("recent", recent),
    )
    return {row["series_id"]: (int(row["n"]), int(row["coming"])) for row in rows}


async def _dates(
    reader: Reader, series_ids: Sequence[str], since: Instant, seen: Seen, values: Mapping[str, object]
) -> list[tuple[Event, bool]]:
    """Every stored date since then, of each series by start, and whether the reader may see it."""
    rows = await reader.fetch(
        f"select {columns_of('e')}, case when {seen('e')} then 1 else 0 end as is_seen from events e"
        f" where e.series_id in :ids and {_since('since')} order by e.series_id, e.starts_at, e.id",
        **values,
        ids=list(series_ids),
        **_bounds("since", since),
    )
    return [(event_of(row), bool(row["is_seen"])) for row in rows]


def _since(name: str) -> str:
    """A date that begins since, or is one that the rule names since."""
    return f"(e.starts_at > :{name} or e.original_date >= :{name}_day)"


def _bounds(name: str, since: Instant) -> dict[str, object]:
    return {name: since, f"{name}_day": (to_datetime(since) - _MARGIN).date().isoformat()}
