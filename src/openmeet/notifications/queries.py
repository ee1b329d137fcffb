"""The SQL of news themselves; ``preferences``, ``mails`` and ``links`` have that of their tables."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from groundwork.database.transaction import Reader, Row, Transaction
from groundwork.fresh_id import new_id
from openmeet.notifications.model import Kind, Notification, NotificationId, Particulars
from openmeet.notifications.preferences import AT_ONCE
from openmeet.users.model import UserId

_INSERT = """
    insert into notifications (id, user_id, kind, subject_id, subject_revision, particulars, is_shown, created_at, read_at)
    values (:id, :user_id, :kind, :subject_id, :revision, :particulars, :is_shown, :now, null)
        on conflict (user_id, kind, subject_id, subject_revision) do nothing
"""

COLUMNS = "id, user_id, kind, subject_id, particulars, created_at, read_at"


def notification_of(row: Row) -> Notification:
    """The model value of a row that has ``COLUMNS``."""
    return Notification(
        NotificationId(row["id"]),
        UserId(row["user_id"]),
        Kind(row["kind"]),
        row["subject_id"],
        row["created_at"],
        row["read_at"],
        msgspec.json.decode(row["particulars"], type=Particulars),
    )


@dataclass(frozen=True, slots=True)
class News:
    """What one person is told about one revision of a subject. ``is_shown``: their page shows it."""

    user_id: UserId
    subject_id: str
    revision: int
    particulars: Particulars
    is_shown: bool


async def insert(tx: Transaction, kind: Kind, news: Sequence[News]) -> dict[UserId, NotificationId]:
    """Tell each person, each of one subject: who had not been told before, and with which row."""
    made = {one.user_id: NotificationId(new_id(tx.now)) for one in news}
    written: dict[Particulars, str] = {}
    for particulars in {one.particulars for one in news}:
        written[particulars] = msgspec.json.encode(particulars).decode()
    kind_name = kind.value
    rows = [
        {
            "id": made[one.user_id],
            "user_id": one.user_id,
            "kind": kind_name,
            "subject_id": one.subject_id,
            "revision": one.revision,
            "particulars": written[one.particulars],
            "is_shown": int(one.is_shown),
            "now": tx.now,
        }
        for one in news
    ]
    if len(rows) == 1:
        # A host hears of every answer, while the event is locked: one statement says both.
        new = await tx.fetch_one(f"{_INSERT} returning id", **rows[0])
        return made if new is not None else {}
    await tx.execute_many(_INSERT, rows)
    fresh: dict[UserId, NotificationId] = {}
    ids = list(made.values())
    for start in range(0, len(ids), AT_ONCE):
        found = await tx.fetch(
            "select id, user_id from notifications where id in :ids order by id", ids=ids[start : start + AT_ONCE]
        )
        fresh |= {UserId(row["user_id"]): NotificationId(row["id"]) for row in found}
    return fresh


async def count_unread(reader: Reader, user_id: UserId) -> int:
    row = await reader.fetch_one(
        "select count(*) as unread from notifications where user_id = :user_id and read_at is null and is_shown = 1",
        user_id=user_id,
    )
    return int(row["unread"]) if row else 0


async def newest(reader: Reader, user_id: UserId, limit: int) -> list[Notification]:
    """What the person's page shows, newest first."""
    rows = await reader.fetch(
        f"""
        select {COLUMNS} from notifications where user_id = :user_id and is_shown = 1
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
