"""Webhooks about chat messages, for hosts of the room and of its group, only while everyone may read the room.

A delivery is a copy that later changes of access cannot affect. That is why only messages of rooms that are open to
everyone are sent. The content of a delivery is determined when it is sent (``web.webhooks.payloads``).
"""

from collections.abc import Collection
from typing import Final

from groundwork.database.transaction import Reader, Transaction
from openmeet.domain.chat.access import access_in, related_people_sql
from openmeet.domain.chat.model import Access, ChatMessageId, Room, RoomId
from openmeet.domain.chat.room_queries import by_id
from openmeet.domain.users.model import UserId
from openmeet.domain.webhooks.actions import ChangedSubject, enqueue_deliveries
from openmeet.domain.webhooks.model import WebhookEvent
from openmeet.domain.webhooks.queries import is_any_on

_HOSTS: Final = 500


async def note_messages(tx: Transaction, room_id: RoomId, messages: Collection[ChatMessageId]) -> None:
    """Enqueue deliveries about messages that were written, edited, removed or restored."""
    if not messages or not await is_any_on(tx):
        return
    room = await by_id(tx, room_id)
    if room is None or not await may_be_sent(tx, room):
        return
    rows = await tx.fetch(
        f"select distinct p.user_id from {related_people_sql()} p where p.because = 'hosting' order by p.user_id limit {_HOSTS}",
        room=room_id,
    )
    hosts = tuple(UserId(row["user_id"]) for row in rows)
    group_id = await group_of(tx, room_id)
    await enqueue_deliveries(
        tx, WebhookEvent.CHAT_MESSAGE, [ChangedSubject(one, hosts, group_id) for one in dict.fromkeys(messages)]
    )


async def may_be_sent(reader: Reader, room: Room) -> bool:
    """Whether messages of this room may be sent to webhooks, that is, everyone may read it."""
    return await access_in(reader, room, None) >= Access.READ


async def group_of(reader: Reader, room_id: RoomId) -> str | None:
    """The group that a room, or its event or series, belongs to."""
    row = await reader.fetch_one(
        """
        select coalesce(r.group_id, (select e.group_id from events e where e.id = r.event_id),
                        (select s.group_id from event_series s where s.id = r.series_id)) as group_id
          from chat_rooms r where r.id = :room
        """,
        room=room_id,
    )
    return None if row is None else row["group_id"]
