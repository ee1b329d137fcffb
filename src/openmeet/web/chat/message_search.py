"""Search for messages in one chat or in all chats of a person. Each result links to its place in the conversation."""

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from openmeet.domain.chat import room_queries, search
from openmeet.domain.chat.addresses import RoomAddress, addresses_of
from openmeet.domain.chat.model import Room, RoomId, RoomKind
from openmeet.domain.chat.search import ChatSearch, ChatSearchPage, find_messages
from openmeet.domain.users.model import UserId
from openmeet.i18n.catalogue import gettext
from openmeet.recurrence.wall_time import midnight
from openmeet.web.chat import view
from openmeet.web.chat.requests import search_cursor, search_place
from openmeet.web.chat.room_pages import RoomPage

_PAGE: Final = 30
_PEOPLE: Final = 100
_MAX_QUERY_LENGTH: Final = 200
_FIELDS: Final = ("q", "room", "person", "from", "to", "date", "has")
_ID: Final = re.compile(r"[0-9a-f-]{1,64}")
# Possible values of ``has``.
_LINK: Final = "link"
_PICTURE: Final = "picture"
_MENTION: Final = "mention"


@dataclass(frozen=True, slots=True)
class FoundMessage:
    """A message and the URL that opens the conversation around it. ``where`` is the name of its chat; empty in a search
    of one chat.
    """

    row: view.MessageView
    href: str
    where: str = ""


async def search_room(
    reader: Reader, room_page: RoomPage, room: Room, viewer: UserId, query_params: QueryParams
) -> dict[str, object]:
    """Context of the page that searches one chat. Without any condition it shows only the form. Raises InvalidInput
    (``cursor``).
    """
    page = await _run_search(reader, viewer, query_params, room_page.time_zone, (room.id,))
    dates = await search.dates_with_messages(reader, room) if room.kind is RoomKind.SERIES else []
    writers = dict(await search.recent_writers(reader, viewer, (room.id,), limit=_PEOPLE))
    # The authors of the results are always offered. So a selected person can still be selected if they have not written
    # recently.
    writers |= {one.message.user_id: one.name for one in (page.messages if page else ()) if one.message.user_id}
    return _form_context(query_params) | {
        "people": sorted(writers.items(), key=lambda one: (one[1].casefold(), one[0])),
        "dates": [(one, view.date_heading(one, reader.now, room_page.time_zone)) for one in dates],
        "chats": [],
        "rows": [
            FoundMessage(
                view.message_view(one, room, set(), view.MessageReader(room_page.time_zone, reader.now)),
                _around_path(room_page.path, room_page.query, one.message.number),
            )
            for one in (page.messages if page else ())
        ],
        "more": _next_page(room_page.path, room_page.query, query_params, page),
        "is_asked": page is not None,
    }


async def search_chats(
    reader: Reader, viewer: UserId, query_params: QueryParams, zone: str, chats: list[tuple[str, str]]
) -> dict[str, object]:
    """Context of the page that searches all chats of a person. ``chats`` has the ids and names that the filter offers.
    Days begin at midnight in ``zone``. Raises InvalidInput (``cursor``, ``person``).
    """
    only = query_params.get("room", "")
    if only and not _ID.fullmatch(only):
        only = ""
    page = await _run_search(reader, viewer, query_params, zone, (RoomId(only),) if only else ())
    messages = page.messages if page else ()
    rooms = await room_queries.by_ids(reader, {one.message.room_id for one in messages})
    addresses = await addresses_of(reader, list(rooms.values()), viewer)
    writers = await search.recent_writers(reader, viewer, limit=_PEOPLE)
    return _form_context(query_params) | {
        "people": writers,
        "dates": [],
        "chats": chats,
        "rows": [
            _found_among(view.message_view(one, room, set(), view.MessageReader(zone, reader.now)), address)
            for one, room, address in (
                (one, rooms[one.message.room_id], addresses[one.message.room_id])
                for one in messages
                if one.message.room_id in addresses
            )
        ],
        "more": _next_page("/chat", "", query_params, page),
        "is_asked": page is not None,
    }


def is_search(query_params: QueryParams) -> bool:
    """Whether the query of a chat, or of the list of chats, requests a search."""
    return "q" in query_params


def _found_among(row: view.MessageView, address: RoomAddress) -> FoundMessage:
    path, _, room_query = address.path.partition("?")
    return FoundMessage(row, _around_path(path, room_query, row.number), address.name)


async def _run_search(
    reader: Reader, viewer: UserId, query_params: QueryParams, zone: str, rooms: tuple[RoomId, ...]
) -> ChatSearchPage | None:
    """Run the search. None if there is no condition, because a search without one would list everything."""
    since, until = period_of(query_params, zone)
    has = query_params.getlist("has")
    chat_search = ChatSearch(
        words=query_params.get("q", "").strip()[:_MAX_QUERY_LENGTH],
        rooms=rooms,
        person=UserId(query_params["person"]) if query_params.get("person") else None,
        since=since,
        until=until,
        about=query_params.get("date") or None,
        has_link=_LINK in has,
        has_picture=_PICTURE in has,
        mentions_me=_MENTION in has,
    )
    if chat_search == ChatSearch(rooms=rooms):
        return None
    after = search_place(query_params.get("cursor", ""))
    return await find_messages(reader, viewer, chat_search, limit=_PAGE, after=after)


def _form_context(query_params: QueryParams) -> dict[str, object]:
    since, until = _days_in(query_params)
    has = query_params.getlist("has")
    return {
        "named": None,
        "words": query_params.get("q", "").strip()[:_MAX_QUERY_LENGTH],
        "person": query_params.get("person", ""),
        "room": query_params.get("room", ""),
        "date": query_params.get("date", ""),
        "since": since.isoformat() if since else "",
        "until": until.isoformat() if until else "",
        "has": [
            (_PICTURE, gettext("With a picture"), _PICTURE in has),
            (_LINK, gettext("With a link"), _LINK in has),
            (_MENTION, gettext("Mentions me"), _MENTION in has),
        ],
        "narrowed": sum(bool(value) for name, value in query_params.multi_items() if name in _FIELDS and name != "q"),
        "is_further": bool(query_params.get("cursor")),
    }


def _around_path(path: str, room_query: str, number: int) -> str:
    return _path_with(path, room_query, [("around", str(number))]) + f"#m{number}"


def _next_page(path: str, room_query: str, query_params: QueryParams, search_page: ChatSearchPage | None) -> str:
    cursor = search_cursor(search_page.after) if search_page is not None else None
    if cursor is None:
        return ""
    parameters = [
        (name, value) for name, value in query_params.multi_items() if name in _FIELDS and (value or name == "q")
    ]
    return _path_with(path, room_query, [*parameters, ("cursor", cursor)])


def _path_with(path: str, room_query: str, parameters: list[tuple[str, str]]) -> str:
    return f"{path}?{room_query}{'&' if room_query else ''}{urlencode(parameters)}"


def period_of(query_params: QueryParams, zone: str) -> tuple[Instant | None, Instant | None]:
    """The start of the day ``from`` and the end of the day ``to`` in a time zone. None for a day that is missing or
    invalid, and for the end of the calendar's last day.
    """
    first, last = _days_in(query_params)
    return (
        midnight(first, zone) if first else None,
        midnight(last + timedelta(days=1), zone) if last and last != date.max else None,
    )


def _days_in(query_params: QueryParams) -> tuple[date | None, date | None]:
    return _day_of(query_params.get("from", "")), _day_of(query_params.get("to", ""))


def _day_of(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
