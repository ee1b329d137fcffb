"""Read search results in order of their starts, in few steps however many events there are.

Frequent terms are found quickly by scanning the index of starts; rare terms are looked up in the word index and sorted.
So the search first scans the next few hundred events, and repeats this as long as it is likely to be enough. The rest
is looked up in ranges: the events of a week, then of two months, of more than a year, and so on. A range is eight times
as long as the one before, or as long as the previous result suggests. It thus has a few times as many matches as a page
needs, whether one event in a hundred matches or one in a million. If few events are left, they are scanned again.

All events of one part of the result start before those of the next, so parts need no merging.

PostgreSQL takes several times as long to plan the conditions of visibility as to evaluate them for a page. So a page is
found without them, by ten or more statements, and one more reads those of its events that are visible. If some are not,
the page is completed by a search with all conditions.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from groundwork.clock import DAY, Instant
from groundwork.database.transaction import Reader, Row
from openmeet.domain.events.queries import columns_of
from openmeet.domain.search.word_index import GRAIN, GRAINS_OF_PERIOD, Term, TermCounts, looked_up, worth_looking_up

# Number of events per scan, and the number of scans that must be enough for scanning to continue.
_EVENTS_PER_SCAN: Final = 500
_SCANS: Final = 4
# Length of the first look-up in grains, growth factor, and maximum length.
_FIRST: Final = 4
_GROWTH: Final = 8
_MAX_LENGTH: Final = 32 * GRAINS_OF_PERIOD

# Conditions of the index of starts (``events_coming``) and of the index of long events.
_LISTED: Final = ("e.visibility = 'public'", "e.is_held = 0", "e.removed_at is null", "e.deleted_at is null")

# An expression for the start that matches no index, for queries in which another index is the right one.
_UNSORTED: Final = "e.starts_at + 0"

Low = tuple[int, str]


@dataclass(frozen=True, slots=True)
class IndexQuery:
    """A search: all terms, all clauses and all conditions of visibility must hold, and the event starts in
    ``[since, until)``. Without ``since``: it is not over yet.

    ``visible``: conditions, with their own values, that nearly all listed events meet.
    ``is_listed``: public events only, as in the index of starts. Otherwise the clauses say whose events are searched.
    ``columns``: the columns to read, by default those of ``event_of``.
    """

    clauses: tuple[str, ...]
    values: Mapping[str, object]
    visible: tuple[str, ...]
    visible_values: Mapping[str, object]
    terms: tuple[Term, ...]
    is_listed: bool
    since: Instant | None
    until: Instant | None
    columns: str = columns_of("e", is_visible=True)


async def find_page(reader: Reader, query: IndexQuery, after: Low | None, limit: int) -> list[Row]:
    """Like ``find_rows``, and faster on PostgreSQL for as many rows as a page has."""
    if not query.is_listed:
        return await find_rows(reader, query, after, limit)
    unchecked = replace(query, visible=(), visible_values={}, columns="e.id, e.starts_at")
    candidates = await find_rows(reader, unchecked, after, limit)
    if not candidates:
        return []
    rows = list(
        await reader.fetch(
            f"select {query.columns} from events e where e.id in :ids and {' and '.join(query.visible)}"
            " order by e.starts_at, e.id",
            ids=[row["id"] for row in candidates],
            **query.visible_values,
        )
    )
    if len(rows) < len(candidates) == limit:
        last = candidates[-1]
        rows += await find_rows(reader, query, (last["starts_at"], last["id"]), limit - len(rows))
    return rows


async def find_rows(reader: Reader, query: IndexQuery, after: Low | None, limit: int) -> list[Row]:
    """Return rows of the ``columns`` after ``after``, ordered by start and id."""
    query = replace(
        query, clauses=(*query.clauses, *query.visible), values={**query.values, **query.visible_values}, visible=()
    )
    now = reader.now
    low = after or (0 if query.since is None else query.since, "")
    if query.since is not None:
        low = max(low, (query.since, ""))
    search = _Search(reader, query, limit)
    if not query.is_listed:
        await search.sorted_at_once(low)
        return search.found
    if query.since is None:
        if low[0] <= now:
            await search.under_way(low)
        low = max(low, (now + 1, ""))
    if not search.is_full():
        await search.ahead(low)
    return search.found


@dataclass(slots=True)
class _Search:
    """State of one search."""

    reader: Reader
    query: IndexQuery
    limit: int
    found: list[Row] = field(default_factory=list)

    def is_full(self) -> bool:
        return len(self.found) >= self.limit

    async def sorted_at_once(self, low: Low) -> None:
        """Search among few events, such as those of a person's groups."""
        clauses = ["e.is_held = 0", "e.removed_at is null", "e.deleted_at is null", "e.starts_at is not null"]
        values: dict[str, object] = {}
        if self.query.since is None:
            clauses.append("e.over_at > :now")
            values["now"] = self.reader.now
        await self._read(low, clauses, values, start=_UNSORTED)

    async def under_way(self, low: Low) -> None:
        """Search events in progress: those that last for days by their own index, the others by start."""
        now, day_ago = self.reader.now, self.reader.now - DAY
        values: dict[str, object] = {"now": now, "day_ago": day_ago}
        is_long = f"e.over_at - e.starts_at > {DAY}"
        if low[0] <= day_ago:
            clauses = [*_LISTED, is_long, "e.over_at > :now", "e.starts_at <= :day_ago"]
            await self._read(low, clauses, values, start=_UNSORTED)
            low = (day_ago + 1, "")
        if not self.is_full():
            clauses = [*_LISTED, "e.starts_at <= :now", "e.over_at > :now"]
            await self._read(low, clauses, {"now": now})

    async def ahead(self, low: Low) -> None:
        """Search events that start at ``low`` or later."""
        query = self.query
        if not query.terms:
            await self._read(low, _LISTED, {})
            return
        seen: TermCounts | None = None
        is_common, length = True, _FIRST
        last = await self._last_some(low)
        while not self.is_full() and (query.until is None or low[0] < query.until):
            grains = _next_grains(low[0], length)
            missing = self.limit - len(self.found)
            if is_common or last is None or low >= last:
                end = await self._end_of_some(low)
                await self._scan(low)
                if end is None or self.is_full():
                    return
                seen = seen or await self._count_terms(low, end)
                low = end
            else:
                assert seen is not None  # noqa: S101  # the first events are always scanned
                await self._look_up(low, grains, seen)
                low = (grains.stop * GRAIN, "")
            added = missing - (self.limit - len(self.found))
            missing -= added
            is_common = is_common and added * _SCANS >= missing
            if low[0] >= grains.stop * GRAIN:
                # Twice what should be enough, because a longer range costs less than another look-up.
                enough = 2 * length * missing // added + 1 if added else _MAX_LENGTH
                length = min(length * _GROWTH, enough, _MAX_LENGTH)

    async def _end_of_some(self, low: Low) -> Low | None:
        """Position of the last of the next few hundred events. None if there are not that many."""
        clauses, values = self._next(low)
        row = await self.reader.fetch_one(
            f"select e.starts_at, e.id from events e where {clauses} order by e.starts_at, e.id limit 1 offset :before",
            **values,
            before=_EVENTS_PER_SCAN - 1,
        )
        return None if row is None else (row["starts_at"], row["id"])

    async def _last_some(self, low: Low) -> Low | None:
        """Position at which the last few hundred events begin, which are not worth a look-up. None if there are not
        that many.
        """
        clauses, values = self._next(low)
        row = await self.reader.fetch_one(
            f"""
            select e.starts_at, e.id from events e where {clauses}
             order by e.starts_at desc, e.id desc limit 1 offset :before
            """,
            **values,
            before=_EVENTS_PER_SCAN - 1,
        )
        return None if row is None else (row["starts_at"], row["id"])

    async def _scan(self, low: Low) -> None:
        """Scan the next few hundred events for matches."""
        clauses, values = self._next(low)
        next_ones = f"select e.* from events e where {clauses} order by e.starts_at, e.id limit :most"
        await self._read(low, (), {**values, "most": _EVENTS_PER_SCAN}, source=f"({next_ones}) e")

    async def _count_terms(self, low: Low, end: Low) -> TermCounts:
        """Count how many of the next few hundred events have each term."""
        terms = self.query.terms
        clauses, values = self._next(low)
        for term in terms:
            values |= term.values
        counts = ", ".join(
            f"sum(case when {term.condition} then 1 else 0 end) as c{number}" for number, term in enumerate(terms)
        )
        row = await self.reader.fetch_one(
            f"""
            select {counts}
              from (select e.starts_at, e.search_words, e.mode, e.origin, e.place_x, e.place_y, e.place_z,
                  e.derived_from from events e
                     where {clauses} order by e.starts_at, e.id limit :most) e
            """,
            **values,
            most=_EVENTS_PER_SCAN,
        )
        assert row is not None  # noqa: S101  # a sum is always one row
        return TermCounts(_EVENTS_PER_SCAN, end[0] - low[0], tuple(row[f"c{number}"] for number in range(len(terms))))

    def _next(self, low: Low) -> tuple[str, dict[str, object]]:
        """Condition for candidate events after ``low``, and its parameters."""
        clauses = [*_LISTED, *_after("e.starts_at")]
        values: dict[str, object] = {"low": low[0], "low_id": low[1]}
        if self.query.until is not None:
            clauses.append("e.starts_at < :until")
            values["until"] = self.query.until
        return " and ".join(clauses), values

    async def _look_up(self, low: Low, grains: range, seen: TermCounts) -> None:
        """Search the word index among the events of these grains."""
        terms = worth_looking_up(self.query.terms, seen, grains)
        source, lookups = looked_up(terms, grains, self.reader.engine)
        values = {"lookups": lookups, "end": grains.stop * GRAIN}
        await self._read(low, [*_LISTED, f"{_UNSORTED} < :end"], values, start=_UNSORTED, source=source)

    async def _read(
        self,
        low: Low,
        clauses: list[str] | tuple[str, ...],
        values: Mapping[str, object],
        *,
        start: str = "e.starts_at",
        source: str = "events e",
    ) -> None:
        """Read the next events from ``low`` on that match these clauses and those of the search."""
        query = self.query
        conditions = [*clauses, *query.clauses, *(term.condition for term in query.terms)]
        conditions += _after(start)
        bound: dict[str, object] = {
            **query.values,
            **values,
            "low": low[0],
            "low_id": low[1],
            "limit": self.limit - len(self.found),
        }
        for term in query.terms:
            bound |= term.values
        if query.until is not None:
            conditions.append(f"{start} < :until")
            bound["until"] = query.until
        self.found += await self.reader.fetch(
            f"select {query.columns} from {source} where {' and '.join(conditions)} order by {start}, e.id limit :limit",
            **bound,
        )


def _after(start: str) -> tuple[str, str]:
    # The first condition is redundant, but only it shows PostgreSQL how narrow the range is.
    return f"{start} >= :low", f"({start}, e.id) > (:low, :low_id)"


def _next_grains(low: int, length: int) -> range:
    """The next ``length`` grains. A range of a period or more is extended to the end of a period.

    Starts before 1970 belong to the first grain.
    """
    first = max(low // GRAIN, 0)
    last = first + max(length, 1)
    return range(first, last if length < GRAINS_OF_PERIOD else -(-last // GRAINS_OF_PERIOD) * GRAINS_OF_PERIOD)
