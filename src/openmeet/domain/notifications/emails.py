"""Bundling of notifications into e-mails: the SQL for ``notification_emails``.

A constraint allows at most one open e-mail per user and subject; later notifications join it until it is sent. The
handler closes it at the first delivery attempt. After that its contents are fixed, so that a retry sends the same text,
and later notifications open another e-mail. Code that adds notifications holds the lock on the subject's row, which
prevents deadlocks.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from groundwork.clock import DAY, Instant
from groundwork.database.bulk import execute_each
from groundwork.database.pages import change_in_pages, delete_some
from groundwork.database.transaction import Database, Reader, Transaction
from groundwork.uuid7 import new_ids
from openmeet.domain.notifications import preferences
from openmeet.domain.notifications.model import DIGEST_MAIL, NOTIFICATION_MAIL, NotificationRecipient, NotificationTopic
from openmeet.domain.notifications.preferences import AT_ONCE
from openmeet.domain.notifications.queries import COLUMNS, READABLE, Notification, notification_of
from openmeet.domain.users.model import UserId
from openmeet.outbox.emails import enqueue_emails


@dataclass(frozen=True, slots=True)
class DueNotification:
    """An e-mail to one user, due no later than ``due_at``."""

    user_id: UserId
    subject: str
    due_at: Instant


_FIND_OPEN = """
    select id, user_id, subject from notification_emails where closed_at is null and user_id in :user_ids order by id
"""

# A no-op update takes the row lock on both engines and returns the current values.
_LOCK_OPEN = """
    update notification_emails set due_at = due_at where id in :ids and closed_at is null returning id, user_id, due_at
"""

_OPEN = """
    insert into notification_emails (id, user_id, subject, due_at, closed_at, created_at)
    select given.id, given.user_id, given.subject, given.due_at, null, cast(:now as bigint)
      from each(id text, user_id text, subject text, due_at bigint) as given where 1 = 1
        on conflict (user_id, subject) where closed_at is null do nothing
"""

# Read in one statement with the recipients' preferences: others wait for the lock on the subject's row, and each
# statement is a round trip on PostgreSQL. SQLite has a single writer, so nothing needs to be locked.
_HELD = (
    "(select id, user_id, due_at from notification_emails"
    " where closed_at is null and user_id in :user_ids and subject = :subject order by user_id{lock})"
)
_WITH_HELD = {
    (engine, has_sources): preferences.statement(
        has_sources=has_sources,
        columns=", m.id as mail_id, m.due_at as mail_due_at",
        joined=f" left join {_HELD.format(lock=lock)} m on m.user_id = u.id",
    )
    for engine, lock in (("sqlite", ""), ("postgresql", " for no key update"))
    for has_sources in (False, True)
}


async def addressees_and_mails(
    tx: Transaction, user_ids: Sequence[UserId], topic: NotificationTopic, sources: Collection[str], subject: str
) -> list[tuple[NotificationRecipient, str | None, Instant | None]]:
    """Like ``preferences.addressees``, for a few users, and also return the id and due time of each user's open e-mail
    about this subject.

    The e-mails stay locked until the transaction ends.
    """
    if not user_ids:
        return []
    rows = await tx.fetch(
        _WITH_HELD[tx.engine, bool(sources)],
        user_ids=sorted(set(user_ids)),
        topic=topic.value,
        subject=subject,
        **({"sources": sorted(sources)} if sources else {}),
    )
    return [
        (preferences.addressee_of(own, topic), own[0]["mail_id"], own[0]["mail_due_at"])
        for own in preferences.by_person(rows)
    ]


async def open_emails_for(tx: Transaction, news: Sequence[DueNotification]) -> dict[UserId, str]:
    """Find or create the open e-mail of each user for these notifications. A new e-mail gets a job.

    An urgent notification gives an open e-mail an earlier due time. The e-mails are locked; the caller adds the
    notifications to them.
    """
    open_mails: dict[UserId, str] = {}
    for start in range(0, len(news), AT_ONCE):
        open_mails |= await _for_news(tx, news[start : start + AT_ONCE])
    return open_mails


async def _for_news(tx: Transaction, news: Sequence[DueNotification]) -> dict[UserId, str]:
    open_mails = await _lock_open(tx, news)
    late = {
        one.user_id: open_mails[one.user_id][0]
        for one in news
        if one.user_id in open_mails and open_mails[one.user_id][1] > one.due_at
    }
    await tx.execute_many(
        "update notification_emails set closed_at = :now where id = :id",
        [{"id": one, "now": tx.now} for one in late.values()],
    )
    opening = {one.user_id: one for one in news if one.user_id not in open_mails or one.user_id in late}
    ids = new_ids(tx.now, len(opening))
    fresh = {user_id: (mail_id, one) for mail_id, (user_id, one) in zip(ids, opening.items(), strict=True)}
    await execute_each(
        tx,
        _OPEN,
        [
            {"id": mail_id, "user_id": user_id, "subject": one.subject, "due_at": one.due_at}
            for user_id, (mail_id, one) in fresh.items()
        ],
        now=tx.now,
    )
    mail_of = {user_id: mail_id for user_id, (mail_id, _) in {**open_mails, **fresh}.items()}
    now_open = await _find_open(tx, [one for _, one in fresh.values()]) if fresh else {}
    # A writer that does not hold the lock on the subject may have opened an e-mail at the same moment. Use that one.
    others = [one for user_id, (mail_id, one) in fresh.items() if now_open.get(user_id) != mail_id]
    if others:
        mail_of |= await _for_news(tx, others)
    await tx.execute_many(
        "update notifications set mail_id = :mail_id where mail_id = :late",
        [{"mail_id": mail_of[user_id], "late": mail_id} for user_id, mail_id in late.items()],
    )
    await tx.execute_many("delete from notification_emails where id = :id", [{"id": one} for one in late.values()])
    await enqueue_emails(
        tx,
        NOTIFICATION_MAIL,
        [(user_id, mail_id, one.due_at) for user_id, (mail_id, one) in fresh.items() if one not in others],
    )
    return mail_of


async def _lock_open(tx: Transaction, news: Sequence[DueNotification]) -> dict[UserId, tuple[str, Instant]]:
    """Lock the open e-mail of each user about the subject, and return its id and due time."""
    ids = list((await _find_open(tx, news)).values())
    rows = await tx.fetch(_LOCK_OPEN, ids=ids) if ids else []
    return {UserId(row["user_id"]): (row["id"], row["due_at"]) for row in rows}


async def _find_open(tx: Transaction, news: Sequence[DueNotification]) -> dict[UserId, str]:
    about = {one.user_id: one.subject for one in news}
    rows = await tx.fetch(_FIND_OPEN, user_ids=list(about))
    return {UserId(row["user_id"]): row["id"] for row in rows if about[row["user_id"]] == row["subject"]}


async def last_sent(tx: Transaction, about: Collection[tuple[UserId, str]]) -> dict[tuple[UserId, str], Instant]:
    """When the last e-mail to each user about the subject was closed. Pairs without a recent e-mail are missing."""
    if not about:
        return {}
    rows = await tx.fetch(
        "select user_id, subject, max(closed_at) as closed_at from notification_emails"
        " where user_id in :user_ids and subject in :subjects and closed_at is not null"
        " group by user_id, subject order by user_id, subject",
        user_ids=sorted({user_id for user_id, _ in about}),
        subjects=sorted({subject for _, subject in about}),
    )
    return {(UserId(row["user_id"]), row["subject"]): Instant(row["closed_at"]) for row in rows}


async def enqueue_digests(tx: Transaction, digests: Sequence[tuple[UserId, str, Instant]]) -> None:
    """Enqueue digests, given as (user, day, send time). A digest's contents are chosen when it is sent.

    If the digest of that day was already sent, another is enqueued. This happens if the user has since chosen a later
    hour or travelled west.
    """
    await enqueue_emails(tx, DIGEST_MAIL, digests, renews=True)


async def close(tx: Transaction, mail_id: str) -> list[Notification]:
    """Close an e-mail and fix its contents. The result is empty if its notifications moved into another e-mail."""
    await tx.execute(
        "update notification_emails set closed_at = :now where id = :id and closed_at is null", id=mail_id, now=tx.now
    )
    return await notifications_in(tx, mail_id)


async def close_digest(tx: Transaction, user_id: UserId, day: str, revision: int) -> list[Notification]:
    """Close the digest of a day and fix its contents. ``revision`` is that of the job (see ``enqueue_digests``)."""
    mail_id = f"{day} {revision} {user_id}"
    is_first = await tx.execute(
        """
        insert into notification_emails (id, user_id, subject, due_at, closed_at, created_at)
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
    return await notifications_in(tx, mail_id)


async def notifications_in(reader: Reader, mail_id: str) -> list[Notification]:
    """The notifications in an e-mail, oldest first."""
    rows = await reader.fetch(
        f"select {COLUMNS} from notifications where mail_id = :mail_id and {READABLE} order by created_at, id",
        mail_id=mail_id,
    )
    return [notification_of(row) for row in rows]


async def forget_closed(tx: Transaction, before: Instant) -> int:
    """Delete e-mails that were sent long ago. Their notifications stay."""
    return await delete_some(tx, "notification_emails", "closed_at < :before", before=before)


# As long as completed jobs are kept; the contents are not needed after that.
SENT_MAILS_KEPT = 30 * DAY


async def forget_sent_mails(db: Database) -> int:
    """Delete old assignments of notifications to e-mails. The notifications stay."""
    return await change_in_pages(db, lambda tx: forget_closed(tx, Instant(tx.now - SENT_MAILS_KEPT)))
