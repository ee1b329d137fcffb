"""Search messages in all rooms of a person, by words, author, time, date of the series, links, pictures and mentions.

A query lists the rooms that the person may read, at most two hundred, so it can never find other messages. Rooms are
searched in the order of their latest messages: results from the first two hundred rooms come before those from the
next.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from groundwork.database.words import query_terms
from groundwork.errors import InvalidInput
from openmeet.domain.chat.access import access_to_each, access_to_own, entered_numbers_in_rooms
from openmeet.domain.chat.message_queries import COLUMNS, is_there, message_of
from openmeet.domain.chat.model import Access, ChatMessage, Room, RoomId
from openmeet.domain.chat.queries import ShownMessage, shown
from openmeet.domain.chat.room_queries import COLUMNS as ROOM_COLUMNS
from openmeet.domain.chat.room_queries import room_of
from openmeet.domain.chat.texts import LINK_TERM, PICTURE_TERM, person_term, room_term
from openmeet.domain.identities.queries import shown_names
from openmeet.domain.users.model import UserId
from openmeet.domain.validation import GeneralReason
from openmeet.i18n.markdown import folded

# Rooms per query.
MAX_ROOMS: Final = 200
# An id becomes part of the search expression, in which a quote would end the word.
_ID: Final = re.compile(r"[0-9a-f-]{1,64}")


@dataclass(frozen=True, slots=True)
class ChatSearch:
    """Conditions of a search. ``rooms`` is empty for all rooms. ``until`` is exclusive. ``about`` is an original date
    of a series.
    """

    words: str = ""
    rooms: tuple[RoomId, ...] = ()
    person: UserId | None = None
    since: Instant | None = None
    until: Instant | None = None
    about: str | None = None
    has_link: bool = False
    has_picture: bool = False
    mentions_me: bool = False


@dataclass(frozen=True, slots=True)
class ChatSearchCursor:
    """The position at which a page of results begins. ``message`` is the instant and id of the message after which it
    begins, ``rooms`` the instant and id of the room after which rooms are searched. None means from the beginning.
    """

    message: tuple[int, str] | None = None
    rooms: tuple[int, str] | None = None


@dataclass(frozen=True, slots=True)
class ChatSearchPage:
    """A page of results, newest first within each batch of two hundred rooms. ``after`` is where the next page begins,
    None at the end.
    """

    messages: tuple[ShownMessage, ...]
    after: ChatSearchCursor | None


async def find_messages(
    reader: Reader, viewer: UserId, search: ChatSearch, *, limit: int, after: ChatSearchCursor | None = None
) -> ChatSearchPage:
    """Messages that the person may read and that match all conditions. Without any condition nothing is found.

    Raises InvalidInput (``person``).
    """
    if search.person is not None and not _ID.fullmatch(search.person):
        raise InvalidInput("person", GeneralReason.NO_SUCH_PERSON)
    words = query_terms(folded(search.words))
    if search.words and not words:
        return ChatSearchPage((), None)
    place = after or ChatSearchCursor()
    reached = await _reached(reader, viewer, search.rooms)
    messages: list[ChatMessage] = []
    while True:
        rooms, last_room = await _readable(reader, viewer, reached, place.rooms)
        page = await _page_in(reader, viewer, search, words, rooms, limit + 1 - len(messages), place.message)
        messages += page
        if len(messages) > limit or last_room is None:
            break
        place = ChatSearchCursor(None, last_room)
    shown_ones = messages[:limit]
    further = None
    if len(messages) > limit:
        is_of_page = len(page) > len(messages) - limit
        last = shown_ones[-1]
        further = replace(place, message=(int(last.said_at), str(last.id)) if is_of_page else place.message)
    return ChatSearchPage(tuple(await shown(reader, shown_ones, viewer)), further)


async def _page_in(
    reader: Reader,
    viewer: UserId,
    search: ChatSearch,
    words: Sequence[str],
    rooms: Mapping[RoomId, int],
    limit: int,
    after: tuple[int, str] | None,
) -> list[ChatMessage]:
    """Messages in these rooms, newest first. ``rooms`` has the number after which the person can read each room."""
    if not rooms:
        return []
    conditions = ["m.search_words <> ''", is_there(), "m.room_id in :rooms"]
    values: dict[str, object] = {"rooms": sorted(rooms), "viewer": viewer}
    if search.person is not None:
        conditions.append("m.user_id = :person")
        values["person"] = search.person
    if search.since is not None:
        conditions.append("m.said_at >= :since")
        values["since"] = search.since
    if search.until is not None:
        conditions.append("m.said_at < :until")
        values["until"] = search.until
    if search.about is not None:
        conditions.append("m.about = :about")
        values["about"] = search.about
    if search.mentions_me:
        conditions.append("exists (select 1 from chat_mentions q where q.message_id = m.id and q.user_id = :viewer)")
    floors, floor_values = _floors(rooms)
    values |= floor_values
    if after is not None:
        conditions.append("(m.said_at, m.id) < (:after_at, :after_id)")
        values |= {"after_at": after[0], "after_id": after[1]}
    source, lookups = _lookup(reader, words, sorted(rooms), search)
    rows = await reader.fetch(
        f"select {COLUMNS} from {source} where {' and '.join(conditions)}{floors} and cast(:viewer as text) is not null"
        " order by m.said_at desc, m.id desc limit :limit",
        limit=limit,
        lookups=lookups,
        **values,
    )
    return [message_of(row) for row in rows]


async def _reached(reader: Reader, viewer: UserId, only: Sequence[RoomId]) -> Mapping[RoomId, Access]:
    return await access_to_each(reader, only, viewer) if only else await access_to_own(reader, viewer)


async def _readable(
    reader: Reader, viewer: UserId, access_by_room: Mapping[RoomId, Access], after: tuple[int, str] | None
) -> tuple[dict[RoomId, int], tuple[int, str] | None]:
    """The next rooms to search, with the number after which this person can read each; also the position of the last
    one if there are more.
    """
    rows = await reader.fetch(
        f"select {ROOM_COLUMNS} from chat_rooms r where r.id in :rooms"
        f"{'' if after is None else ' and (coalesce(r.last_said_at, r.created_at), r.id) < (:after_at, :after_id)'}"
        " order by coalesce(r.last_said_at, r.created_at) desc, r.id desc limit :limit",
        rooms=sorted(room for room, level in access_by_room.items() if level is not Access.NONE),
        limit=MAX_ROOMS + 1,
        **({} if after is None else {"after_at": after[0], "after_id": after[1]}),
    )
    rooms = [room_of(row) for row in rows[:MAX_ROOMS]]
    entered = await entered_numbers_in_rooms(reader, [one for one in rooms if one.newcomer_floor], viewer)
    floors = {
        one.id: 0 if access_by_room[one.id] is Access.MODERATE else entered.get(one.id, one.newcomer_floor)
        for one in rooms
    }
    last = rooms[-1] if len(rows) > MAX_ROOMS else None
    return floors, None if last is None else (int(last.last_said_at or last.created_at), str(last.id))


# How many of the latest messages of each chat are searched for authors: when searching all chats, and when searching
# one.
_RECENT: Final = 30
_RECENT_IN_ONE: Final = 1_000


async def recent_writers(
    reader: Reader, viewer: UserId, only: Sequence[RoomId] = (), *, limit: int
) -> list[tuple[UserId, str]]:
    """Authors of the latest messages in the rooms that the person may read, or in those in ``only``, with their names;
    ordered by name.
    """
    rooms, _ = await _readable(reader, viewer, await _reached(reader, viewer, only), None)
    if not rooms:
        return []
    rows = await reader.fetch(
        "select distinct m.user_id from chat_rooms r join chat_messages m on m.room_id = r.id "
        "and m.number > r.last_number - :recent where r.id in :rooms and m.user_id is not null "
        f"and m.search_words <> '' and {is_there()}{_floors(rooms)[0]} order by m.user_id limit :limit",
        rooms=sorted(rooms),
        recent=_RECENT_IN_ONE if len(only) == 1 else _RECENT,
        limit=limit,
        **_floors(rooms)[1],
    )
    names = await shown_names(reader, [UserId(row["user_id"]) for row in rows])
    return sorted(names.items(), key=lambda one: (one[1].casefold(), one[0]))


async def dates_with_messages(reader: Reader, room: Room, *, limit: int = 100) -> list[str]:
    """The original dates of a series that messages are about, latest first."""
    rows = await reader.fetch(
        "select distinct about from chat_messages where room_id = :room and about is not null order by about desc "
        "limit :limit",
        room=room.id,
        limit=limit,
    )
    return [row["about"] for row in rows]


def _floors(rooms: Mapping[RoomId, int]) -> tuple[str, dict[str, object]]:
    """The condition that leaves out messages from before the person could read a room."""
    conditions, values = "", dict[str, object]()
    for number, (room, floor) in enumerate(sorted(rooms.items())):
        if floor:
            conditions += f" and (m.room_id <> :floored_{number} or m.number > :floor_{number})"
            values |= {f"floored_{number}": room, f"floor_{number}": floor}
    return conditions, values


_VECTOR: Final = "array_to_tsvector(string_to_array(ltrim(rtrim(m.search_words)), ' '))"
_ON_SQLITE: Final = """(select n.message_id from search_chat_index
          join search_chat_numbers n on n.number = search_chat_index.rowid
      where search_chat_index match :lookups) f cross join chat_messages m on m.id = f.message_id"""
_ON_POSTGRESQL: Final = f"(select cast(:lookups as tsquery) as asked) f join chat_messages m on {_VECTOR} @@ f.asked"


def _lookup(reader: Reader, words: Sequence[str], rooms: Sequence[RoomId], search: ChatSearch) -> tuple[str, str]:
    """The source of ``m``, and the search expression: all words as prefixes, one of the rooms, the author, a link, a
    picture.
    """
    exact = [[room_term(room) for room in rooms]]
    if search.person is not None:
        exact.append([person_term(search.person)])
    if search.has_link:
        exact.append([LINK_TERM])
    if search.has_picture:
        exact.append([PICTURE_TERM])
    if reader.engine == "postgresql":
        parts = [f"'{word}':*" for word in words]
        parts += ["(" + " | ".join(f"'{one}'" for one in several) + ")" for several in exact]
        return _ON_POSTGRESQL, " & ".join(parts)
    parts = [f'"{word}" *' for word in words]
    parts += ["(" + " OR ".join(f'"{one}"' for one in several) + ")" for several in exact]
    return _ON_SQLITE, " AND ".join(parts)
