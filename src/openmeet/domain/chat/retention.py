"""Delete what has expired: earlier texts of edited and removed messages, signals, and messages older than their room
keeps them.
"""

from typing import Final

from groundwork.clock import DAY, Instant
from groundwork.database.transaction import Database
from openmeet.domain.chat import mirroring
from openmeet.domain.chat.access import series_chain_sql
from openmeet.domain.chat.model import SIGNAL_KEPT

_ROWS: Final = 1_000
# Maximum number of rounds per hourly run. If much has expired at once, it is deleted over several hours, so that people
# can write in the meantime.
_ROUNDS: Final = 50
_EXPIRED: Final = f"""
    select m.id from chat_messages m join chat_rooms r on r.id = m.room_id
     where m.said_at < :tenant or (r.retention = 'year' and m.said_at < :year) or (r.retention = '90_days' and m.said_at < :quarter)
        or (r.retention = '30_days_after_date' and m.said_at < :month and (
              r.event_id is not null and exists (
                select 1 from events e where e.id = r.event_id and coalesce(e.over_at, e.starts_at) < :month)
           or m.about is not null and exists (
                select 1 from events e where e.series_id in ({series_chain_sql("r")} select id from chain) and e.original_date = m.about
                   and coalesce(e.over_at, e.starts_at) < :month)
           or r.event_id is null and m.about is null))
     order by m.id limit :limit
"""

# A removed message can no longer be restored after this, so its pictures are deleted with its text.
_RELEASE_PICTURES: Final = """
    update chat_pictures set message_id = null
     where message_id in (select r.message_id from chat_removed r where r.until <= :now)
"""


async def forget_expired_messages(db: Database, kept_days: int = 0) -> int:
    """Delete expired messages, at most a thousand rows of a kind per round, with their log entries, search words and
    Matrix events. Return how many messages. ``kept_days`` is the community's limit, whatever hosts chose; 0 means no
    limit.
    """
    forgotten = 0
    for _ in range(_ROUNDS):
        count = await _forget_round(db, kept_days)
        forgotten += count
        if count < _ROWS:
            break
    return forgotten


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
            month=Instant(now - 30 * DAY),
            limit=_ROWS,
        )
    ids = list(dict.fromkeys(row["id"] for row in (*signals, *expired)))
    async with db.transaction() as tx:
        await tx.execute("delete from chat_edits where until <= :now", now=tx.now)
        await tx.execute(_RELEASE_PICTURES, now=tx.now)
        await tx.execute("delete from chat_removed where until <= :now", now=tx.now)
        if ids:
            await mirroring.redact_expired(tx, ids)
            await tx.execute("delete from chat_messages where id in :ids", ids=ids)
    return len(ids)
