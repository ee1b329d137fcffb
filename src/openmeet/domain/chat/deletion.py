"""Delete what has expired (earlier texts of edited and removed messages, signals, and messages older than their room
keeps them), and empty the messages of a person whose account is deleted. Their positions in the rooms remain.
"""

from itertools import groupby
from operator import itemgetter
from typing import Final

from groundwork.clock import DAY, Instant
from groundwork.database.pages import ROWS_AT_ONCE, change_in_pages, delete_some
from groundwork.database.transaction import Database, Transaction
from openmeet.domain.chat import log, mirroring, pictures
from openmeet.domain.chat.model import KEPT_AFTER_DATE, SIGNAL_KEPT, ChatMessageId, LogKind, RoomId
from openmeet.domain.series.split_queries import chain_sql
from openmeet.domain.users.model import UserId

_ROWS: Final = 1_000
# Maximum number of rounds per hourly run. If much has expired at once, it is deleted over several hours, so that people
# can write in the meantime.
_ROUNDS: Final = 50
_EXPIRED: Final = f"""
    select m.id from chat_messages m join chat_rooms r on r.id = m.room_id
     where m.said_at < :tenant or (r.retention = 'year' and m.said_at < :year)
         or (r.retention = '90_days' and m.said_at < :quarter)
        or (r.retention = '30_days_after_date' and m.said_at < :month and (
              r.event_id is not null and exists (
                select 1 from events e where e.id = r.event_id and coalesce(e.over_at, e.starts_at) < :month)
           or m.about is not null and exists (
                select 1 from events e where e.series_id in (with recursive {chain_sql("r.series_id")} select id
                    from chain)
                    and e.original_date = m.about
                   and coalesce(e.over_at, e.starts_at) < :month)
           or r.event_id is null and m.about is null))
     order by m.id limit :limit
"""

_REMOVED_FOR_GOOD: Final = "select message_id from chat_removed where until <= :now order by until limit :limit"
# This includes messages sent from their own Matrix account before they linked it; these messages have no user id.
# Most people have no mxid: null equals nothing
_WROTE: Final = "(user_id = :id or matrix_sender = (select mxid from matrix_people where user_id = :id))"
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


async def forget_expired_messages(db: Database, kept_days: int = 0) -> int:
    """Delete expired messages, at most a thousand rows of a kind per round, with their log entries, search words and
    Matrix events. Return how many messages. ``kept_days`` is the community's limit, whatever hosts chose; 0 means no
    limit.
    """
    await change_in_pages(db, _delete_earlier_texts)
    forgotten = 0
    for _ in range(_ROUNDS):
        count = await _forget_round(db, kept_days)
        forgotten += count
        if count < _ROWS:
            break
    return forgotten


async def _delete_earlier_texts(tx: Transaction) -> int:
    """Delete expired texts of edited and removed messages, at most ``ROWS_AT_ONCE`` of each. Returns how many."""
    edits = await delete_some(tx, "chat_edits", "until <= :now", now=tx.now)
    ids = [row["message_id"] for row in await tx.fetch(_REMOVED_FOR_GOOD, now=tx.now, limit=ROWS_AT_ONCE)]
    if ids:
        # The message can no longer be restored, so its pictures are deleted with its text.
        await pictures.release(tx, ids)
        await tx.execute("delete from chat_removed where message_id in :ids", ids=ids)
    return edits + len(ids)


async def _forget_round(db: Database, kept_days: int) -> int:
    async with db.reader() as reader:
        now = reader.now
        signals = await reader.fetch(
            "select id from chat_messages where kind = 'signal' and said_at < :before order by said_at limit :limit",
            before=Instant(now - SIGNAL_KEPT),
            limit=_ROWS,
        )
        expired = await reader.fetch(
            _EXPIRED,
            tenant=Instant(now - kept_days * DAY) if kept_days else Instant(0),
            year=Instant(now - 365 * DAY),
            quarter=Instant(now - 90 * DAY),
            month=Instant(now - KEPT_AFTER_DATE),
            limit=_ROWS,
        )
    ids = list(dict.fromkeys(row["id"] for row in (*signals, *expired)))
    if ids:
        async with db.transaction() as tx:
            await mirroring.redact_expired(tx, ids)
            await tx.execute("delete from chat_messages where id in :ids", ids=ids)
    return len(ids)


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
           set user_id = :id, matrix_sender = null, body = '', details = '{}', client_id = null, search_words = '',
               revision = revision + 1, held_at = null,
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
