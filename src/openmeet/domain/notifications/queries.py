"""SQL for notifications; ``preferences``, ``emails`` and ``email_links`` have the SQL for their tables."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from groundwork.clock import Instant
from groundwork.database.bulk import SqlWrite, execute_each
from groundwork.database.transaction import Reader, Row, Transaction
from groundwork.uuid7 import new_id, new_ids
from openmeet.domain.notifications.event_kinds import HOST_MESSAGE
from openmeet.domain.notifications.kinds import KINDS
from openmeet.domain.notifications.model import NotificationId, NotificationKind, Payload
from openmeet.domain.notifications.preferences import AT_ONCE
from openmeet.domain.users.model import UserId

_INTO = """
    insert into notifications (id, user_id, kind, subject_id, subject_revision, particulars, is_shown, is_for_digest,
                               created_at, read_at, mail_id)
"""
_ONCE = "on conflict (user_id, kind, subject_id, subject_revision) do nothing"
_INSERT = f"""
    {_INTO}
    values (:id, :user_id, :kind, :subject_id, :revision, :particulars, :is_shown, :is_for_digest, :now, null, :mail_id)
    {_ONCE}
"""
_INSERT_EACH = f"""
    {_INTO}
    select given.id, given.user_id, cast(:kind as text), given.subject_id, given.revision, given.particulars,
           given.is_shown, given.is_for_digest, cast(:now as bigint), null, given.mail_id
      from each(id text, user_id text, subject_id text, revision bigint, particulars text, is_shown bigint,
                is_for_digest bigint, mail_id text) as given where 1 = 1
    {_ONCE}
"""

_ALREADY_NOTIFIED = """
    select user_id, subject_id, subject_revision from notifications
     where kind = :kind and user_id in :user_ids and subject_id in :subject_ids order by id
"""

COLUMNS = "id, user_id, kind, subject_id, particulars, created_at, read_at"
# The text of a host's message is part of the notification. It is not shown while the host is deleting their account.
READABLE = f"""not (kind = '{HOST_MESSAGE.name}' and exists (
    select 1 from account_erasures l where particulars like '%' || l.user_id || '%'))"""


@dataclass(frozen=True, slots=True)
class Notification:
    """One notification of one user."""

    id: NotificationId
    user_id: UserId
    kind: NotificationKind[Any]
    subject_id: str
    created_at: Instant
    read_at: Instant | None
    payload: Payload


def notification_of(row: Row) -> Notification:
    """Parse a row with ``COLUMNS``."""
    kind = KINDS[row["kind"]]
    return Notification(
        NotificationId(row["id"]),
        UserId(row["user_id"]),
        kind,
        row["subject_id"],
        row["created_at"],
        row["read_at"],
        msgspec.json.decode(row["particulars"], type=kind.payload),
    )


@dataclass(frozen=True, slots=True)
class NotificationRow:
    """One user's notification about one revision of a subject, to be stored.

    ``is_shown``: it appears in the app. ``mail_id``: the e-mail it goes into, which is open and locked.
    ``is_for_digest``: it waits for the next digest.
    """

    user_id: UserId
    subject_id: str
    revision: int
    payload: Payload
    is_shown: bool
    mail_id: str | None = None
    is_for_digest: bool = False


async def existing_among(
    reader: Reader, kind: NotificationKind[Any], about: Sequence[tuple[UserId, str, int]]
) -> set[tuple[UserId, str, int]]:
    """Those of the given notifications (user, subject, revision) that exist, and maybe others of these users about these
    subjects. Lock the subjects' rows first if a decision depends on the result.
    """
    existing: set[tuple[UserId, str, int]] = set()
    for start in range(0, len(about), AT_ONCE):
        chunk = about[start : start + AT_ONCE]
        rows = await reader.fetch(
            _ALREADY_NOTIFIED,
            kind=kind.name,
            user_ids=[user_id for user_id, _, _ in chunk],
            subject_ids=sorted({subject_id for _, subject_id, _ in chunk}),
        )
        existing |= {(UserId(row["user_id"]), row["subject_id"], row["subject_revision"]) for row in rows}
    return existing


async def insert(tx: Transaction, kind: NotificationKind[Any], news: Sequence[NotificationRow]) -> None:
    """Insert notifications and skip existing ones."""
    written = {one: msgspec.json.encode(one).decode() for one in {one.payload for one in news}}
    ids = new_ids(tx.now, len(news))
    rows = [_values(new, one, written[one.payload]) for new, one in zip(ids, news, strict=True)]
    await execute_each(tx, _INSERT_EACH, rows, kind=kind.name, now=tx.now)


def insert_statement(tx: Transaction, kind: NotificationKind[Any], news: NotificationRow) -> SqlWrite:
    """Like ``insert``, for one notification, as part of a combined statement."""
    values = _values(new_id(tx.now), news, msgspec.json.encode(news.payload).decode())
    return SqlWrite(_INSERT, {**values, "kind": kind.name, "now": tx.now})


def _values(new: str, row: NotificationRow, payload: str) -> dict[str, object]:
    return {
        "id": new,
        "user_id": row.user_id,
        "subject_id": row.subject_id,
        "revision": row.revision,
        "particulars": payload,
        "is_shown": int(row.is_shown),
        "is_for_digest": int(row.is_for_digest),
        "mail_id": row.mail_id,
    }


async def withdraw(
    tx: Transaction, user_ids: Sequence[UserId], kind: NotificationKind[Any], subject_id: str
) -> set[UserId]:
    """Delete each user's newest notification of this kind about the subject, if it was neither read nor e-mailed. Return
    whose was deleted.
    """
    withdrawn: set[UserId] = set()
    for start in range(0, len(user_ids), AT_ONCE):
        rows = await tx.fetch(
            """
            delete from notifications
             where id in (select n.id from notifications n
                           where n.user_id in :user_ids and n.kind = :kind and n.subject_id = :subject_id
                             and not exists (select 1 from notifications later
                                              where later.user_id = n.user_id and later.kind = n.kind
                                                and later.subject_id = n.subject_id
                                                and later.subject_revision > n.subject_revision))
               and read_at is null
               and (mail_id is null or exists (select 1 from notification_emails m
                                                where m.id = notifications.mail_id and m.closed_at is null))
            returning user_id
            """,
            user_ids=list(user_ids[start : start + AT_ONCE]),
            kind=kind.name,
            subject_id=subject_id,
        )
        withdrawn |= {UserId(row["user_id"]) for row in rows}
    return withdrawn


async def count_unread(reader: Reader, user_id: UserId) -> int:
    row = await reader.fetch_one(
        "select count(*) as unread from notifications"
        f" where user_id = :user_id and read_at is null and is_shown = 1 and {READABLE}",
        user_id=user_id,
    )
    return int(row["unread"]) if row else 0


async def count_unread_of_each(reader: Reader, people: Collection[UserId]) -> dict[UserId, int]:
    """Like ``count_unread``, for several people in one statement."""
    counts = dict.fromkeys(people, 0)
    if not counts:
        return counts
    rows = await reader.fetch(
        f"""
        select user_id, count(*) as unread from notifications
         where user_id in :people and read_at is null and is_shown = 1 and {READABLE} group by user_id
        """,
        people=sorted(counts),
    )
    return counts | {UserId(row["user_id"]): int(row["unread"]) for row in rows}


async def count_unread_by_kind(reader: Reader, user_id: UserId) -> dict[str, int]:
    """Number of unread notifications of each kind."""
    rows = await reader.fetch(
        f"""
        select kind, count(*) as unread from notifications
         where user_id = :user_id and read_at is null and is_shown = 1 and {READABLE} group by kind
        """,
        user_id=user_id,
    )
    return {row["kind"]: int(row["unread"]) for row in rows}


async def newest(
    reader: Reader,
    user_id: UserId,
    limit: int,
    before: tuple[Instant, str] | None = None,
    *,
    kinds: Collection[str] = (),
    is_unread: bool = False,
) -> list[Notification]:
    """A user's notifications, newest first.

    ``before``: time and id of the last one on the previous page. ``kinds``: only these kinds. ``is_unread``: only
    unread ones.
    """
    rows = await reader.fetch(
        f"""
        select {COLUMNS} from notifications where user_id = :user_id and is_shown = 1 and {READABLE}
           {"" if before is None else "and (created_at, id) < (cast(:created_at as bigint), :id)"}
           {"and kind in :kinds" if kinds else ""} {"and read_at is null" if is_unread else ""}
         order by created_at desc, id desc limit :limit
        """,
        user_id=user_id,
        limit=limit,
        **({} if before is None else {"created_at": before[0], "id": before[1]}),
        **({"kinds": sorted(kinds)} if kinds else {}),
    )
    return [notification_of(row) for row in rows]


async def mark_read(tx: Transaction, user_id: UserId, until: Instant) -> int:
    return await tx.execute(
        "update notifications set read_at = :now where user_id = :user_id and read_at is null and created_at <= :until",
        user_id=user_id,
        until=until,
        now=tx.now,
    )


async def mark_read_in(tx: Transaction, user_id: UserId, kinds: Sequence[str], subject_id: str, until: int) -> None:
    """Mark a user's notifications about one subject as read, up to a revision."""
    await tx.execute(
        "update notifications set read_at = :now where user_id = :user_id and kind in :kinds and subject_id = :subject_id"
        " and subject_revision <= :until and read_at is null",
        user_id=user_id,
        kinds=kinds,
        subject_id=subject_id,
        until=until,
        now=tx.now,
    )


async def waiting_among(
    reader: Reader, user_ids: Sequence[UserId], kind: NotificationKind[Any], subject_id: str, since: Instant
) -> set[UserId]:
    """The given users who have an unread notification of this kind about the subject, created after the
    given time.
    """
    rows = await reader.fetch(
        "select distinct user_id from notifications where user_id in :user_ids and kind = :kind "
        "and subject_id = :subject_id and read_at is null and created_at > :since order by user_id",
        user_ids=sorted(set(user_ids)),
        kind=kind.name,
        subject_id=subject_id,
        since=since,
    )
    return {UserId(row["user_id"]) for row in rows}
