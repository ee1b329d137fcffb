"""All SQL of pictures."""

from groundwork.clock import Instant
from groundwork.database.transaction import Reader, Transaction
from openmeet.domain.media.pictures import PictureKey


async def insert(tx: Transaction, key: PictureKey, user_id: str, width: int, height: int, size: int) -> None:
    await tx.execute(
        """
        insert into pictures (key, user_id, width, height, size, created_at)
        values (:key, :user_id, :width, :height, :size, :now)
        """,
        key=key,
        user_id=user_id,
        width=width,
        height=height,
        size=size,
        now=tx.now,
    )


async def sent_since(reader: Reader, user_id: str, since: Instant) -> int:
    """How many pictures a person has sent since then."""
    row = await reader.fetch_one(
        "select count(*) as sent from pictures where user_id = :user_id and created_at > :since",
        user_id=user_id,
        since=since,
    )
    return int(row["sent"]) if row else 0


async def unused(reader: Reader, before: Instant, limit: int) -> list[PictureKey]:
    """Pictures older than this that no event, no series and no group shows, or can show again because an act is taken back."""
    rows = await reader.fetch(
        """
        select p.key from pictures p
         where p.created_at < :before
           and not exists (select 1 from events e where e.picture_key = p.key)
           and not exists (select 1 from groups g where g.picture_key = p.key)
           and not exists (select 1 from event_series s where s.template like '%"' || p.key || '"%')
           and not exists (
             select 1 from event_series_undos o
              where o.expires_at > :now and o.undone_at is null and o.kept like '%' || p.key || '%'
           )
         order by p.created_at, p.key limit :limit
        """,
        before=before,
        now=reader.now,
        limit=limit,
    )
    return [PictureKey(row["key"]) for row in rows]


async def delete(tx: Transaction, key: PictureKey) -> None:
    await tx.execute("delete from pictures where key = :key", key=key)


async def size_of_own(reader: Reader, key: PictureKey, user_id: str) -> tuple[int, int] | None:
    """Width and height of a picture that this person has sent; None for any other."""
    row = await reader.fetch_one(
        "select width, height from pictures where key = :key and user_id = :user_id", key=key, user_id=user_id
    )
    return None if row is None else (row["width"], row["height"])
