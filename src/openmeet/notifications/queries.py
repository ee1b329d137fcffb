"""All SQL of notifications."""

from collections.abc import Sequence

import msgspec

from groundwork.database.transaction import Reader, Row, Transaction
from groundwork.fresh_id import new_id
from openmeet.notifications.model import Kind, Notification, NotificationId, Particulars
from openmeet.users.model import UserId


def notification_of(row: Row) -> Notification:
    return Notification(
        NotificationId(row["id"]),
        UserId(row["user_id"]),
        Kind(row["kind"]),
        row["subject_id"],
        row["created_at"],
        row["read_at"],
        msgspec.json.decode(row["particulars"], type=Particulars),
    )


async def insert(
    tx: Transaction, to: Sequence[UserId], kind: Kind, subject_id: str, revision: int, particulars: Particulars
) -> None:
    """Rows that exist already stay as they are: the same news is told once."""
    await tx.execute_many(
        """
        insert into notifications (id, user_id, kind, subject_id, subject_revision, particulars, created_at, read_at)
        values (:id, :user_id, :kind, :subject_id, :revision, :particulars, :now, null)
            on conflict (user_id, kind, subject_id, subject_revision) do nothing
        """,
        [
            {
                "id": new_id(tx.now),
                "user_id": user_id,
                "kind": kind.value,
                "subject_id": subject_id,
                "revision": revision,
                "particulars": msgspec.json.encode(particulars).decode(),
                "now": tx.now,
            }
            for user_id in to
        ],
    )


async def count_unread(reader: Reader, user_id: UserId) -> int:
    row = await reader.fetch_one(
        "select count(*) as unread from notifications where user_id = :user_id and read_at is null", user_id=user_id
    )
    return int(row["unread"]) if row else 0


async def newest(reader: Reader, user_id: UserId, limit: int) -> list[Notification]:
    rows = await reader.fetch(
        """
        select id, user_id, kind, subject_id, particulars, created_at, read_at
          from notifications where user_id = :user_id
         order by created_at desc, id desc limit :limit
        """,
        user_id=user_id,
        limit=limit,
    )
    return [notification_of(row) for row in rows]


async def mark_read(tx: Transaction, user_id: UserId) -> int:
    return await tx.execute(
        "update notifications set read_at = :now where user_id = :user_id and read_at is null",
        user_id=user_id,
        now=tx.now,
    )
