"""Match events with searches, and compute the keys that find candidate searches. Pure.

One criterion of each search is its *key*: presumably the rarest or, for a place, every grid cell that it touches. An
event has the keys of all searches that it could match, and a few hundred more because of word prefixes. These are few
enough to look each of them up. Matching uses the same words, cells and numbers as the SQL of ``search.search``; a test
compares both.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from groundwork.database.words import has_beginning, query_terms, topic_term
from groundwork.geo_points import HALF, NARROW, WIDE, Spot, cells, chord, spot
from openmeet.domain.events.model import RecordOrigin
from openmeet.domain.events.values import Mode
from openmeet.domain.search.search import NARROWLY, TOWN_KM, EventOrigin, SearchQuery
from openmeet.i18n.markdown import folded

# Lengths of word prefixes used as keys. A prefix of another length is shortened to the next of these.
_LENGTHS: Final = (12, 8, 5, 3, 2, 1)
# Shorter prefixes are too common to be selective.
_TELLING: Final = 5
# Kinds of topics in order of selectivity: few events share a tag, many a category. Kinds that are not listed get 2.
_SELECTIVITY: Final = {"tag": 0, "access": 1, "language": 3, "category": 4}


@dataclass(frozen=True, slots=True)
class SearchFacts:
    """The event fields that searches use.

    ``words``: the column ``search_words``. ``starts_local``: in ISO form, in the event's zone. ``is_of_town``: the
    position is only that of the town.
    """

    words: str
    mode: Mode
    origin: RecordOrigin
    starts_local: str
    spot: Spot | None
    is_of_town: bool = False


def keys_of(query: SearchQuery) -> tuple[str, ...]:
    """The keys of a search. An event that matches has at least one of them in ``keys_in``. Empty if no criterion is
    selective enough.
    """
    forms = sorted(query_terms(folded(" ".join(query.words))), key=len)
    word = _beginning(forms[-1]) if forms else ""
    if len(word) >= _TELLING:
        return (word,)
    if query.near is not None:
        point = spot(query.near.latitude, query.near.longitude)
        line = chord(max(query.near.within_km, TOWN_KM) * 1_000)
        width = NARROW if query.near.within_km <= NARROWLY else WIDE
        return tuple(_cell(cell, width) for cell in cells(point, line, width))
    if query.topics:
        return (topic_term(min(query.topics, key=lambda topic: _SELECTIVITY.get(topic.partition(":")[0], 2))),)
    return (word,) if word else ()


def keys_in(facts: SearchFacts) -> list[str]:
    """Every key that a search matching this event can have."""
    keys: dict[str, None] = {}
    for word in facts.words.split():
        if "=" in word:
            keys[word] = None
            continue
        keys |= dict.fromkeys(word[:length] for length in _LENGTHS if length <= len(word))
    if facts.spot is not None:
        for width in (NARROW, WIDE):
            keys[_cell(tuple((axis + HALF) // width for axis in facts.spot), width)] = None
    return list(keys)


def fits(query: SearchQuery, facts: SearchFacts) -> bool:
    """Whether ``search.coming`` would find the event, regardless of its visibility."""
    forms = query_terms(folded(" ".join(query.words)))
    return (
        bool(forms or not query.words)
        and all(has_beginning(facts.words, form) for form in forms)
        and all(f" {topic_term(topic)} " in facts.words for topic in query.topics)
        and (query.mode is None or facts.mode in {query.mode, Mode.HYBRID})
        and (
            query.source is EventOrigin.ALL
            or (query.source is EventOrigin.OPENMEET) is (facts.origin is RecordOrigin.HERE)
        )
        and _is_on_its_days(query, facts.starts_local)
        and _is_near(query, facts)
    )


def _is_on_its_days(query: SearchQuery, starts_local: str) -> bool:
    if query.first is not None and starts_local < query.first.isoformat():
        return False
    return query.last is None or starts_local < (query.last + timedelta(days=1)).isoformat()


def _is_near(query: SearchQuery, facts: SearchFacts) -> bool:
    if query.near is None:
        return True
    if facts.spot is None:
        return False
    within_km = max(query.near.within_km, TOWN_KM) if facts.is_of_town else query.near.within_km
    point, line = spot(query.near.latitude, query.near.longitude), chord(within_km * 1_000)
    return sum((one - other) ** 2 for one, other in zip(facts.spot, point, strict=True)) <= line * line


def _beginning(form: str) -> str:
    return next(form[:length] for length in _LENGTHS if length <= len(form))


def _cell(cell: tuple[int, ...], width: int) -> str:
    return f"{'h' if width == NARROW else 'g'}=" + "_".join(map(str, cell))
