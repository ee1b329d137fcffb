"""Word index: look up terms among the events of a time range.

On PostgreSQL each word of an event is prefixed with its period, so that each period acts as a separate index: matches
are adjacent, and finding them takes as few steps as if there were no other events. Words without a period give the
start at a finer resolution. SQLite is meant for a tenth as many events: its words are not divided by time, and times
are separate words.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from groundwork.clock import DAY
from groundwork.database.transaction import Engine

# Resolution of starts: the period and the grain within it in PostgreSQL's index (migration 0065), then the two sizes in
# SQLite's (0042).
_PERIOD: Final = 16 * DAY
GRAIN: Final = 2 * DAY
GRAINS_OF_PERIOD: Final = _PERIOD // GRAIN
_FINE, _COARSE = 8 * DAY, 64 * DAY

# How many index entries under a prefix, and how many look-ups of whole words, cost as much as reading one event.
_MEETINGS: Final = 25
_WORDS: Final = 2


def _cell(width: int) -> str:
    return " || '_' || ".join(f"cast((e.place_{axis} + 6553600) / {width} as text)" for axis in "xyz")


_VECTOR: Final = (
    "array_to_tsvector(string_to_array(ltrim(replace(rtrim(e.search_words) || ' m=' || e.mode || ' o=' || e.origin"
    f" || coalesce(' g=' || {_cell(262_144)} || ' h=' || {_cell(65_536)}, ''), ' ',"
    f" ' ' || cast(greatest(e.starts_at, 0) / {_PERIOD} as text) || '=')"
    f" || ' s=' || cast(greatest(e.starts_at, 0) / {GRAIN} as text)), ' '))"
)

# Events with the terms. On PostgreSQL, one index query per period; ``offset 0`` keeps the other conditions out of the
# subquery, which would otherwise scan all events if these look selective. On SQLite, ``cross join`` fixes the join
# order, so that it does not scan all events to find a few.
_ON_POSTGRESQL: Final = f"""
    unnest(string_to_array(:lookups, chr(10))) l (lookup)
      cross join lateral (select e.* from events e where {_VECTOR} @@ cast(l.lookup as tsquery) offset 0) e"""
_ON_SQLITE: Final = """
    (select n.event_id from search_index join search_numbers n on n.number = search_index.rowid
      where search_index match :lookups) f cross join events e on e.id = f.event_id"""


@dataclass(frozen=True, slots=True)
class Term:
    """A term that an event must have: an SQL condition, and words of the index, any of which matches."""

    condition: str
    values: Mapping[str, object]
    words: tuple[str, ...]
    is_beginning: bool = False


@dataclass(frozen=True, slots=True)
class TermCounts:
    """How many events in a sample of the next events have each term.

    ``number``: size of the sample. ``lasting``: its time span in microseconds.
    """

    number: int
    lasting: int
    counts: tuple[int, ...]


def worth_looking_up(terms: Sequence[Term], seen: TermCounts, grains: range) -> list[Term]:
    """Choose the terms worth looking up in these grains. Adds the term with the lowest total cost until the cost no
    longer falls.

    Looking up a term costs one look-up per word, and for a prefix also reading all its entries in the period. Whole
    words are cheaper, because the index can skip entries that they exclude.
    """
    of_grain = seen.number * GRAIN / max(seen.lasting, 1)
    periods = len(_periods(grains))
    costs = [
        periods
        * (len(term.words) / _WORDS + term.is_beginning * GRAINS_OF_PERIOD * of_grain * count / seen.number / _MEETINGS)
        for term, count in zip(terms, seen.counts, strict=True)
    ]
    shares = [(count + 1) / (seen.number + 1) for count in seen.counts]
    selected: list[int] = []
    reading = of_grain * len(grains)
    while others := set(range(len(terms))) - set(selected):
        best = min(others, key=lambda number: costs[number] + reading * shares[number])
        if selected and costs[best] + reading * shares[best] >= reading:
            break
        selected.append(best)
        reading *= shares[best]
    return [terms[number] for number in sorted(selected)]


def _periods(grains: range) -> range:
    return range(grains.start // GRAINS_OF_PERIOD, -(-grains.stop // GRAINS_OF_PERIOD))


def looked_up(terms: Sequence[Term], grains: range, engine: Engine) -> tuple[str, str]:
    """SQL for ``from`` that yields the events ``e`` of these grains with all terms, and its parameter ``lookups``.

    On SQLite it also yields events that start shortly before or after.
    """
    if engine == "postgresql":
        return _ON_POSTGRESQL, "\n".join(_by_period(terms, grains))
    name, width = ("s", _FINE) if len(grains) * GRAIN <= _COARSE else ("r", _COARSE)
    when = [f"{name}={number}" for number in range(grains.start * GRAIN // width, -(-grains.stop * GRAIN // width))]
    parts = [_any(term.words, " OR ", '"{}" *' if term.is_beginning else '"{}"') for term in terms]
    return _ON_SQLITE, " AND ".join([*parts, _any(when, " OR ", '"{}"')])


def _by_period(terms: Sequence[Term], grains: range) -> Iterator[str]:
    for period in _periods(grains):
        start = period * GRAINS_OF_PERIOD
        period_grains = range(max(grains.start, start), min(grains.stop, start + GRAINS_OF_PERIOD))
        parts = [
            _any(term.words, " | ", f"'{period}={{}}':*" if term.is_beginning else f"'{period}={{}}'") for term in terms
        ]
        if len(period_grains) < GRAINS_OF_PERIOD:
            parts.append(_any([f"s={grain}" for grain in period_grains], " | ", "'{}'"))
        yield " & ".join(parts)


def _any(words: Sequence[str], between: str, form: str) -> str:
    # Words contain no character with a special meaning in either engine's query language.
    return f"({between.join(map(form.format, words))})"
