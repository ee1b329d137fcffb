"""Looking for messages in one room, by words, writer, day and pictures; each result leads to its place in the conversation."""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Final
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from openmeet.domain.chat import people
from openmeet.domain.chat.model import Room
from openmeet.domain.chat.search import ChatSearch, find_messages
from openmeet.domain.paging import packed, unpacked
from openmeet.domain.users.model import UserId
from openmeet.recurrence.wall_time import instant_of
from openmeet.web.chat import view
from openmeet.web.chat.cursors import MESSAGE_PLACE
from openmeet.web.chat.places import ChatPlace

_PAGE: Final = 30
_PEOPLE: Final = 100
_MAX_QUERY_LENGTH: Final = 200


async def found_in_room(
    reader: Reader, place: ChatPlace, room: Room, viewer: UserId, asked: QueryParams
) -> dict[str, object]:
    """What the page of a search shows. Without any condition it is the form alone. Raises InvalidInput (``cursor``)."""
    zone = place.time_zone
    words = asked.get("q", "").strip()[:_MAX_QUERY_LENGTH]
    since, until = day_of(asked.get("from", "")), day_of(asked.get("to", ""))
    person = asked.get("person", "")
    has_picture = asked.get("has") == "picture"
    is_asked = bool(words or person or since or until or has_picture)
    rows: list[tuple[view.MessageView, str]] = []
    more = ""
    if is_asked:
        wanted = ChatSearch(
            words=words,
            rooms=(room.id,),
            person=UserId(person) if person else None,
            since=start_of(since, zone) if since else None,
            until=start_of(until + timedelta(days=1), zone) if until else None,
            has_picture=has_picture,
        )
        cursor = unpacked(MESSAGE_PLACE, asked["cursor"]) if asked.get("cursor") else None
        after = (int(cursor[1]), cursor[2]) if cursor else None
        found = await find_messages(reader, viewer, wanted, limit=_PAGE, after=after)
        rows = [
            (
                view.message_view(one, room, set(), zone=zone, now=reader.now, may_write=False),
                _address(place, {"around": str(one.message.number)}) + f"#m{one.message.number}",
            )
            for one in found.messages
        ]
        if found.after is not None:
            kept = {name: asked[name] for name in ("q", "person", "from", "to", "has") if asked.get(name)}
            more = _address(place, {**kept, "q": words, "cursor": packed(f"{found.after[0]}.{found.after[1]}")})
    members = await people.members(reader, room, viewer, limit=_PEOPLE)
    return {
        "words": words,
        "person": person,
        "since": since.isoformat() if since else "",
        "until": until.isoformat() if until else "",
        "people": [(one.user_id, one.name) for one in members.people],
        "has_picture": has_picture,
        "is_asked": is_asked,
        "rows": rows,
        "more": more,
        "is_further": bool(asked.get("cursor")),
    }


def day_of(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def start_of(day: date, zone: str) -> Instant:
    return instant_of(datetime.combine(day, time()), zone)


def _address(place: ChatPlace, query: Mapping[str, str]) -> str:
    return f"{place.path}?{place.query}{'&' if place.query else ''}{urlencode(query)}"
