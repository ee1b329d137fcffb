"""The index of words, as a search asks it for what starts within some time.

On PostgreSQL each word that an event is found by has its period before it, so that a period is an index of its own: what has a
word there stands together, and is met in as few steps as if there were no other events. Words without a period say when it
starts more finely. On SQLite, for a tenth of the events, words stand for all time, and times are words beside them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from groundwork.clock import DAY
from groundwork.database.transaction import Engine

# When events start, as PostgreSQL's index has it (migration 0065): its period, and within it its grain; as SQLite's (0042).
_PERIOD: Final = 16 * DAY
GRAIN: Final = 2 * DAY
GRAINS_OF_PERIOD: Final = _PERIOD // GRAIN
_FINE, _COARSE = 8 * DAY, 64 * DAY

# To read an event costs as much as to meet so many in the index below the beginning of a word, or to look so many words up.
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

# Which events have what is looked up: on PostgreSQL one query of the index for each period.
# ``cross join``: SQLite keeps this order, and does not walk over all events to meet a few.
_ON_POSTGRESQL: Final = (
    f"unnest(string_to_array(:lookups, chr(10))) l (lookup) join events e on {_VECTOR} @@ cast(l.lookup as tsquery)"
)
_ON_SQLITE: Final = """
    (select n.event_id from search_index join search_numbers n on n.number = search_index.rowid
      where search_index match :lookups) f cross join events e on e.id = f.event_id"""


@dataclass(frozen=True, slots=True)
class Term:
    """Something that an event must have: the condition, and by which words of the index it is looked up, any of them."""

    condition: str
    values: Mapping[str, object]
    words: tuple[str, ...]
    is_beginning: bool = False


@dataclass(frozen=True, slots=True)
class TermCounts:
    """Of the next events, so many in so much time: how many have each term."""

    number: int
    lasting: int
    counts: tuple[int, ...]


def worth_looking_up(terms: Sequence[Term], seen: TermCounts, grains: range) -> list[Term]:
    """By which terms to look up what starts in these grains: one after the other what leaves least to do, while that becomes less.

    To look a term up costs each of its words, and of the beginning of a word all that the index has in the period. What only
    whole words leave out, the index passes over.
    """
    of_grain = seen.number * GRAIN / max(seen.lasting, 1)
    periods = len(_periods(grains))
    costs = [
        periods
        * (len(term.words) / _WORDS + term.is_beginning * GRAINS_OF_PERIOD * of_grain * count / seen.number / _MEETINGS)
        for term, count in zip(terms, seen.counts, strict=True)
    ]
    parts = [(count + 1) / (seen.number + 1) for count in seen.counts]
    chosen: list[int] = []
    reading = of_grain * len(grains)
    while others := set(range(len(terms))) - set(chosen):
        best = min(others, key=lambda number: costs[number] + reading * parts[number])
        if chosen and costs[best] + reading * parts[best] >= reading:
            break
        chosen.append(best)
        reading *= parts[best]
    return [terms[number] for number in sorted(chosen)]


def _periods(grains: range) -> range:
    return range(grains.start // GRAINS_OF_PERIOD, -(-grains.stop // GRAINS_OF_PERIOD))


def looked_up(terms: Sequence[Term], grains: range, engine: Engine) -> tuple[str, str]:
    """Events ``e`` of these grains that have all terms: what stands after ``from``, and the parameter ``lookups`` in it.

    SQLite finds others, too, that start shortly before or after.
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
        wanted = range(max(grains.start, start), min(grains.stop, start + GRAINS_OF_PERIOD))
        parts = [
            _any(term.words, " | ", f"'{period}={{}}':*" if term.is_beginning else f"'{period}={{}}'") for term in terms
        ]
        if len(wanted) < GRAINS_OF_PERIOD:
            parts.append(_any([f"s={grain}" for grain in wanted], " | ", "'{}'"))
        yield " & ".join(parts)


def _any(words: Sequence[str], between: str, form: str) -> str:
    # A word has no character that means anything in either engine's language.
    return f"({between.join(map(form.format, words))})"
