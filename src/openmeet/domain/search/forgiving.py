"""Search that forgives: where nothing has the words as typed, their nearest known forms are searched for instead."""

from dataclasses import dataclass, replace

from groundwork.database.transaction import Database, Reader
from openmeet.domain.events.model import Event
from openmeet.domain.search import search
from openmeet.domain.search.event_lists import EventCursor
from openmeet.domain.search.known_names import known_names
from openmeet.domain.search.search import SearchQuery


@dataclass(frozen=True, slots=True)
class ForgivenSearch:
    """A search after typing errors were corrected. ``wanted``: what was searched for in the end. ``is_mended``: with
    other words than those typed.
    """

    events: list[Event]
    wanted: SearchQuery
    is_mended: bool = False


async def coming(
    db: Database, reader: Reader, wanted: SearchQuery, after: EventCursor | None, limit: int
) -> ForgivenSearch:
    """Upcoming events as ``search.coming``, with typing errors corrected where nothing was found.

    The cursor of a corrected search continues it, though it does not say so.
    """
    found = await search.coming(reader, wanted, after, limit)
    if found or not wanted.words:
        return ForgivenSearch(found, wanted)
    if after is not None and await search.coming(reader, wanted, None, 1):
        return ForgivenSearch([], wanted)
    mended = (await known_names(db, reader)).forgiven(wanted.words)
    if mended is None:
        return ForgivenSearch([], wanted)
    nearest = replace(wanted, words=tuple(mended))
    found = await search.coming(reader, nearest, after, limit)
    return ForgivenSearch(found, nearest, is_mended=True) if found else ForgivenSearch([], wanted)
