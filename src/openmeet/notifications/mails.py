"""Which news go into which mail: the SQL of ``news_mails``.

At most one mail per person and subject is open, a constraint says so; what happens while it waits joins it. The payer closes it
when it is first paid: from then on its contents are fixed, so that a second attempt says the same, and later news open another.
Who adds news holds the lock on the subject's row, so two of them never wait for each other.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from groundwork.clock import Instant
from groundwork.database.transaction import Reader, Transaction
from groundwork.fresh_id import new_id
from openmeet.debts.deliveries import owe_mails
from openmeet.notifications.model import DIGEST_MAIL, NEWS_MAIL, Notification, NotificationId
from openmeet.notifications.preferences import AT_ONCE
from openmeet.notifications.queries import COLUMNS, notification_of
from openmeet.users.model import UserId


@dataclass(frozen=True, slots=True)
class Waiting:
    """News that are to be mailed to one person not later than ``due_at``. ``is_bundled``: ``subject`` is another than theirs."""

    user_id: UserId
    subject: str
    notification_id: NotificationId
    due_at: Instant
    is_bundled: bool = False


_FIND_OPEN = """
    select id, user_id, subject from news_mails where closed_at is null and user_id in :user_ids order by id
"""

# Writing what is there already takes the lock on either engine, and answers with what is true now.
_LOCK_OPEN = """
    update news_mails set due_at = due_at where id in :ids and closed_at is null returning id, user_id, due_at
"""

_OPEN = """
    insert into news_mails (id, user_id, subject, due_at, closed_at, created_at)
    values (:id, :user_id, :subject, :due_at, null, :now)
        on conflict (user_id, subject) where closed_at is null do nothing
"""


# Mails are about what their news are about, unless these are bundled.
_PUT_INTO_OPEN = """
    update notifications
       set mail_id = (select m.id from news_mails m where m.user_id = notifications.user_id
                         and m.subject = notifications.subject_id and m.closed_at is null)
     where id in :ids
"""


async def add(tx: Transaction, news: Sequence[Waiting]) -> None:
    """Put these news, one per person, into the open mails about their subjects, or owe some. What cannot wait takes the rest along."""
    for start in range(0, len(news), AT_ONCE):
        await _add(tx, news[start : start + AT_ONCE])


async def _add(tx: Transaction, news: Sequence[Waiting]) -> None:
    known = await _lock_open(tx, news)
    late = {
        one.user_id: known[one.user_id][0]
        for one in news
        if one.user_id in known and known[one.user_id][1] > one.due_at
    }
    await tx.execute_many(
        "update news_mails set closed_at = :now where id = :id", [{"id": one, "now": tx.now} for one in late.values()]
    )
    fresh = {one.user_id: (new_id(tx.now), one) for one in news if one.user_id not in known or one.user_id in late}
    await tx.execute_many(
        _OPEN,
        [
            {"id": mail_id, "user_id": user_id, "subject": one.subject, "due_at": one.due_at, "now": tx.now}
            for user_id, (mail_id, one) in fresh.items()
        ],
    )
    now_open = await _lock_open(tx, news) if fresh else known
    mail_of = {user_id: mail_id for user_id, (mail_id, _) in now_open.items()}
    await tx.execute_many(
        "update notifications set mail_id = :mail_id where mail_id = :late",
        [{"mail_id": mail_of[user_id], "late": mail_id} for user_id, mail_id in late.items()],
    )
    await tx.execute_many("delete from news_mails where id = :id", [{"id": one} for one in late.values()])
    alone = [one.notification_id for one in news if not one.is_bundled]
    if alone:
        await tx.execute(_PUT_INTO_OPEN, ids=alone)
    await tx.execute_many(
        "update notifications set mail_id = :mail_id where id = :id",
        [{"mail_id": mail_of[one.user_id], "id": one.notification_id} for one in news if one.is_bundled],
    )
    await owe_mails(tx, NEWS_MAIL, [(user_id, mail_of[user_id], one.due_at) for user_id, (_, one) in fresh.items()])


async def _lock_open(tx: Transaction, news: Sequence[Waiting]) -> dict[UserId, tuple[str, Instant]]:
    """The open mail of each person about their subject, and when it is due."""
    about = {one.user_id: one.subject for one in news}
    found = await tx.fetch(_FIND_OPEN, user_ids=list(about))
    ids = [row["id"] for row in found if about[row["user_id"]] == row["subject"]]
    rows = await tx.fetch(_LOCK_OPEN, ids=ids) if ids else []
    return {UserId(row["user_id"]): (row["id"], row["due_at"]) for row in rows}


async def add_to_digests(tx: Transaction, digests: Sequence[tuple[UserId, NotificationId, str, Instant]]) -> None:
    """Keep news (person, news, day, when it is sent) for the digest of that day."""
    await tx.execute_many(
        "update notifications set is_for_digest = 1 where id = :id", [{"id": one} for _, one, _, _ in digests]
    )
    await owe_mails(tx, DIGEST_MAIL, [(user_id, day, due_at) for user_id, _, day, due_at in digests])


async def close(tx: Transaction, mail_id: str) -> list[Notification]:
    """What the mail says, from now on for good; empty when it went into another."""
    await tx.execute(
        "update news_mails set closed_at = :now where id = :id and closed_at is null", id=mail_id, now=tx.now
    )
    return await in_mail(tx, mail_id)


async def close_digest(tx: Transaction, user_id: UserId, day: str) -> list[Notification]:
    """What the digest of a day says, from now on for good."""
    mail_id = f"{day} {user_id}"
    is_first = await tx.execute(
        """
        insert into news_mails (id, user_id, subject, due_at, closed_at, created_at)
        values (:id, :user_id, '', :now, :now, :now) on conflict (id) do nothing
        """,
        id=mail_id,
        user_id=user_id,
        now=tx.now,
    )
    if is_first:
        await tx.execute(
            "update notifications set mail_id = :mail_id, is_for_digest = 0"
            " where user_id = :user_id and is_for_digest = 1",
            mail_id=mail_id,
            user_id=user_id,
        )
    return await in_mail(tx, mail_id)


async def in_mail(reader: Reader, mail_id: str) -> list[Notification]:
    """The news of a mail, oldest first."""
    rows = await reader.fetch(
        f"select {COLUMNS} from notifications where mail_id = :mail_id order by created_at, id", mail_id=mail_id
    )
    return [notification_of(row) for row in rows]


async def forget_closed(tx: Transaction, before: Instant) -> int:
    """Drop what was sent long ago; the news stay."""
    return await tx.execute("delete from news_mails where closed_at < :before", before=before)
