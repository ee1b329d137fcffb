"""Empty the messages of a person whose account is deleted. Their positions in the rooms remain."""

from itertools import groupby
from operator import itemgetter
from typing import Final

from groundwork.database.transaction import Transaction
from openmeet.domain.chat import log, pictures
from openmeet.domain.chat.model import ChatMessageId, LogKind, RoomId
from openmeet.domain.users.model import UserId

# This includes messages sent from their own Matrix account before they linked it; these messages have no user id.
_WROTE: Final = "(user_id = :id or matrix_sender = (select mxid from matrix_people where user_id = :id))"  # most people have no mxid: null equals nothing
MESSAGES_OF: Final = f"select id from chat_messages where {_WROTE}"
# Reactions, votes and other rows that people added to messages. Rows are found by ``message_id``.
ON_MESSAGES: Final = (
    "chat_reactions",
    "chat_edits",
    "chat_votes",
    "chat_mentions",
    "chat_pins",
    "chat_removed",
    "chat_reports",
)


async def empty_messages(tx: Transaction, user_id: UserId, limit: int) -> int:
    """Empty up to ``limit`` messages of a person and return how many. Open pages are updated. The messages' rows in the
    tables ``ON_MESSAGES`` are deleted.
    """
    rows = await tx.fetch(
        "select id, room_id, case when body <> '' or removed_at is null then 1 else 0 end as is_shown from chat_messages"
        f" where {_WROTE} and (body <> '' or removed_at is null or client_id is not null or matrix_sender is not null)"
        " order by room_id, number limit :limit",
        id=user_id,
        limit=limit,
    )
    if not rows:
        return 0
    await tx.execute(
        """
        update chat_messages
           set user_id = :id, matrix_sender = null, body = '', details = '{}', client_id = null, search_words = '', revision = revision + 1, held_at = null,
               removed_at = coalesce(removed_at, :now), removed_by = coalesce(removed_by, :id)
         where id in :ids
        """,
        ids=[row["id"] for row in rows],
        id=user_id,
        now=tx.now,
    )
    await pictures.release(tx, [ChatMessageId(row["id"]) for row in rows])
    for room, emptied in groupby((row for row in rows if row["is_shown"]), key=itemgetter("room_id")):
        await log.append_each(tx, RoomId(room), LogKind.REMOVED, [ChatMessageId(row["id"]) for row in emptied])
    return len(rows)
