"""Search with spelling correction: if nothing matches the words as typed, search for the nearest known words instead.

Every search also finds events whose title has another form of a word, or a compound that contains it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from groundwork.database.transaction import Database, Reader
from groundwork.database.words import query_terms, word_of_form
from openmeet.domain.events.model import Event
from openmeet.domain.events.values import public_place
from openmeet.domain.search import search, spelling
from openmeet.domain.search.known_words import KnownNames, known_names
from openmeet.domain.search.my_event_lists import EventCursor
from openmeet.domain.search.search import SearchQuery
from openmeet.domain.search.spelling import CorrectedWord
from openmeet.domain.search.topic_words import is_topic_word, topic_words
from openmeet.i18n.markdown import folded

# How much of the events found is read for the original spelling of a word.
_EVENTS_READ: Final = 3
_TEXT_READ: Final = 1_500
_WORDS: Final = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class CorrectedSearch:
    """The result of a search after spelling correction.

    ``query``: the search that was run in the end. ``is_corrected``: it has other words than those typed. ``shown``: these
    words as people write them; empty if only the spelling of umlauts differs.
    """

    events: list[Event]
    query: SearchQuery
    is_corrected: bool = False
    shown: str = ""


async def coming(
    db: Database,
    reader: Reader,
    query: SearchQuery,
    after: EventCursor | None,
    limit: int,
    *,
    is_name: bool = False,
    may_drop_words: bool = False,
) -> CorrectedSearch:
    """Return upcoming events like ``search.coming``. If nothing is found, correct the spelling and search again.

    ``is_name``: the words are a name, such as that of a place, and have no typing errors. ``may_drop_words``: drop words
    that match nothing, also parts of compounds. A cursor of a corrected search repeats the correction, because the
    cursor does not contain it.
    """
    if not query.words:
        return CorrectedSearch(await search.coming(reader, query, after, limit), query)
    names = await known_names(db, reader)
    query = _with_related(names, query)
    events = await search.coming(reader, query, after, limit)
    if events or (after is not None and await search.coming(reader, query, None, 1)):
        return CorrectedSearch(events, query)
    corrected = _corrected(names, query.words, is_name=is_name, may_drop_words=may_drop_words)
    may_drop_parts = may_drop_words and not any(map(is_topic_word, query.words))
    for words in _choices(names, corrected, may_drop_parts=may_drop_parts):
        nearest = _with_related(names, replace(query, words=_forms_of(words)))
        events = await search.coming(reader, nearest, after, limit)
        if events:
            shown = _shown(query.words, words, events)
            return CorrectedSearch(events, nearest, is_corrected=True, shown=shown)
    return CorrectedSearch([], query)


@dataclass(frozen=True, slots=True)
class CorrectedWords:
    """Replacement words to search for. ``shown``: see ``CorrectedSearch``."""

    words: tuple[str, ...]
    shown: str


async def corrected_name(db: Database, reader: Reader, words: Sequence[str]) -> CorrectedWords | None:
    """Correct words by those of the names of hosts, groups and series. None if they are like no such words, or if
    nothing changes.
    """
    found = (await known_names(db, reader)).named.correct([folded(word) for word in words])
    return None if found is None else CorrectedWords(_forms_of(found), _shown(words, found))


async def corrected_words(
    db: Database, reader: Reader, words: Sequence[str], *, is_name: bool = False, may_drop_words: bool = False
) -> CorrectedWords | None:
    """Correct words by known ones, or by the words for topics. None if there is nothing to correct or no correction is
    found.
    """
    names = await known_names(db, reader)
    found = _corrected(names, words, is_name=is_name, may_drop_words=may_drop_words)
    return None if found is None else CorrectedWords(_forms_of(found), _shown(words, found))


def _corrected(
    names: KnownNames, words: Sequence[str], *, is_name: bool, may_drop_words: bool
) -> list[CorrectedWord] | None:
    typed = [folded(word) for word in words]
    sure = typed if is_name else [word for word in typed if is_topic_word(word)]
    corrected = names.spelled.correct(typed, sure=sure, may_drop_words=may_drop_words)
    return corrected if corrected is not None or is_name else topic_words().correct(typed)


def _choices(
    names: KnownNames, corrected: list[CorrectedWord] | None, *, may_drop_parts: bool
) -> list[list[CorrectedWord]]:
    """The corrected words; then, if parts may be dropped, only the main part of each compound that was split."""
    if corrected is None:
        return []
    if not may_drop_parts or all(len(one.forms) == 1 for one in corrected):
        return [corrected]
    return [corrected, [names.spelled.main_part(one) for one in corrected]]


def _with_related(names: KnownNames, query: SearchQuery) -> SearchQuery:
    related = []
    for form in query_terms(folded(" ".join(query.words))):
        others = [one for word in names.titles.related(word_of_form(form)) for one in query_terms(word)]
        if others:
            related.append((form, *others))
    return replace(query, related=tuple(related))


def _forms_of(words: Sequence[CorrectedWord]) -> tuple[str, ...]:
    return tuple(form for one in words for form in one.forms)


def _shown(typed: Sequence[str], words: Sequence[CorrectedWord], events: Sequence[Event] = ()) -> str:
    """The corrected words as people write them. ``events``: what was found; texts are not indexed with their original
    spelling.
    """
    forms = _forms_of(words)
    if spelling.is_same_spelling(map(folded, typed), forms):
        return ""
    return " ".join(_as_written(one, events) if one.shown == folded(one.shown) else one.shown for one in words)


def _as_written(word: CorrectedWord, events: Sequence[Event]) -> str:
    for event in events[:_EVENTS_READ]:
        place = public_place(event.content.venue, event.content.place_audience)
        text = f"{event.title} {event.content.description[:_TEXT_READ]} {place.name} {place.locality}"
        for found in _WORDS.finditer(text):
            if folded(found[0]) == word.shown:
                return found[0]
    return word.shown
