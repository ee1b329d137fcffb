"""Export the messages of a room for its hosts, page by page. Access is checked before each page."""

from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass
from typing import Final

from groundwork.database.transaction import Database, Reader
from openmeet.domain.chat.access import access
from openmeet.domain.chat.message_queries import COLUMNS, message_of
from openmeet.domain.chat.model import Access, ChatMessage, MessageKind, RoomId
from openmeet.domain.chat.polls import votes_of
from openmeet.domain.identities.queries import shown_names
from openmeet.domain.series.split_queries import chain_sql
from openmeet.domain.users.model import UserId, unnamed

# Messages per query.
_PAGE: Final = 500
_MAX_PRIVATE: Final = 5_000


@dataclass(frozen=True, slots=True)
class ExportedMessage:
    """A message and its author, as a name, or as a number for people who answered privately. ``votes`` counts the votes
    for each choice of a poll.
    """

    message: ChatMessage
    name: str
    votes: Mapping[int, int]


async def pages(db: Database, room: RoomId, person: UserId, after: int) -> AsyncIterator[list[ExportedMessage]]:
    """Messages after a number, in pages. Stops if the person no longer moderates the room."""
    async with db.reader() as reader:
        numbers = await _private_authors(reader, room)
    number = after
    while True:
        async with db.reader() as reader:
            if await access(reader, room, person) is not Access.MODERATE:
                return
            page = await _page(reader, room, number, _PAGE, numbers)
        if not page:
            return
        yield page
        number = page[-1].message.number


async def _page(
    reader: Reader, room: RoomId, after: int, limit: int, numbers: Collection[UserId]
) -> list[ExportedMessage]:
    rows = await reader.fetch(
        f"select {COLUMNS} from chat_messages m where m.room_id = :room and m.number > :after and m.held_at is null"
        " and m.kind <> 'notice' order by m.number limit :limit",
        room=room,
        after=after,
        limit=limit,
    )
    messages = [message_of(row) for row in rows]
    names = await shown_names(reader, [one.user_id for one in messages if one.user_id is not None])
    votes = await votes_of(reader, [one.id for one in messages if one.kind is MessageKind.POLL])
    order = {user_id: place for place, user_id in enumerate(numbers, 1)}
    return [
        ExportedMessage(
            one,
            str(order[one.user_id])
            if one.user_id in order
            else names.get(one.user_id, unnamed())
            if one.user_id is not None
            else one.matrix_sender or "",
            votes.get(one.id, {}),
        )
        for one in messages
    ]


async def _private_authors(reader: Reader, room: RoomId) -> list[UserId]:
    """People who wrote in the room and answered privately, in the order of their first messages."""
    rows = await reader.fetch(
        f"""
        select m.user_id from chat_messages m join chat_rooms r on r.id = m.room_id
         where m.room_id = :room and exists (
               select 1 from attendances a join events e on e.id = a.event_id
                where a.user_id = m.user_id and a.is_private = 1
                    and (e.id = r.event_id or e.series_id in (with recursive {chain_sql("r.series_id")} select id
                        from chain)))
         group by m.user_id order by min(m.number) limit {_MAX_PRIVATE}
        """,
        room=room,
    )
    return [UserId(row["user_id"]) for row in rows]
