"""Search with spelling correction: if nothing matches the words as typed, search for the nearest known words instead."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from groundwork.database.transaction import Database, Reader
from openmeet.domain.events.model import Event
from openmeet.domain.search import search, spelling
from openmeet.domain.search.event_lists import EventCursor
from openmeet.domain.search.known_names import known_names
from openmeet.domain.search.search import SearchQuery
from openmeet.domain.search.topic_words import topic_of
from openmeet.i18n.markdown import folded


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
    that match nothing. A cursor of a corrected search repeats the correction, because the cursor does not contain it.
    """
    events = await search.coming(reader, query, after, limit)
    if events or not query.words:
        return CorrectedSearch(events, query)
    if after is not None and await search.coming(reader, query, None, 1):
        return CorrectedSearch([], query)
    corrected = await corrected_words(db, reader, query.words, is_name=is_name, may_drop_words=may_drop_words)
    if corrected is None:
        return CorrectedSearch([], query)
    nearest = replace(query, words=corrected.words)
    events = await search.coming(reader, nearest, after, limit)
    return (
        CorrectedSearch(events, nearest, is_corrected=True, shown=corrected.shown)
        if events
        else CorrectedSearch([], query)
    )


@dataclass(frozen=True, slots=True)
class CorrectedWords:
    """Replacement words to search for. ``shown``: see ``CorrectedSearch``."""

    words: tuple[str, ...]
    shown: str


async def corrected_words(
    db: Database, reader: Reader, words: Sequence[str], *, is_name: bool = False, may_drop_words: bool = False
) -> CorrectedWords | None:
    """Correct words by known ones. None if there is nothing to correct or no correction is found."""
    typed = [folded(word) for word in words]
    sure = typed if is_name else [word for word in typed if topic_of([word]) is not None]
    corrected = (await known_names(db, reader)).spelled.correct(typed, sure=sure, may_drop_words=may_drop_words)
    if corrected is None:
        return None
    forms = tuple(form for one in corrected for form in one.forms)
    is_same = spelling.is_same_spelling(typed, forms)
    return CorrectedWords(forms, "" if is_same else " ".join(one.shown for one in corrected))
