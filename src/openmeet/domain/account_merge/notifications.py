"""Two people turn out to be one: news, mails on their way, what was chosen about them, and what others were told about the one."""

from datetime import UTC, datetime, timedelta
from typing import Final

from groundwork.clock import SECOND
from groundwork.database.transaction import Transaction
from openmeet.domain.notifications.model import DIGEST_MAIL, NEWS_MAIL
from openmeet.domain.users.merge import hand_over, hand_over_unique
from openmeet.domain.users.model import UserId
from openmeet.outbox import emails

# Where news of the one would go into a mail that the other has open about the same subject, they go into that.
_INTO_OPEN_MAIL: Final = """
    update notifications
       set mail_id = (select t.id from news_mails f join news_mails t on t.subject = f.subject
                       where f.id = notifications.mail_id and t.user_id = :to_user and t.closed_at is null)
     where user_id = :from_user and mail_id in (
           select f.id from news_mails f join news_mails t on t.subject = f.subject
            where f.user_id = :from_user and f.closed_at is null and t.user_id = :to_user and t.closed_at is null)
"""
_DROP_OPEN_TWINS: Final = """
    delete from news_mails
     where user_id = :from_user and closed_at is null and exists (
           select 1 from news_mails t where t.user_id = :to_user and t.subject = news_mails.subject and t.closed_at is null)
"""
_OPEN: Final = "select id from news_mails where user_id = :from_user and closed_at is null order by id"

# Hosts were told who answered; those of groups, who wants to get in. Whom it was about stands in the particulars.
_TOLD_ABOUT: Final = """
    update notifications set particulars = replace(particulars, :from_user, :to_user)
     where particulars like '%' || cast(:from_user as text) || '%' and user_id in (
           select e.author_id from attendances a join events e on e.id = a.event_id where a.user_id = :from_user
           union select h.user_id from attendances a join event_hosts h on h.event_id = a.event_id
                  where a.user_id = :from_user and h.user_id is not null
           union select s.user_id from group_members m join group_members s on s.group_id = m.group_id
                  where m.user_id = :from_user and s.role in ('owner', 'admin', 'moderator')
           union select cast(:from_user as text) union select cast(:to_user as text))
"""


async def reassign(tx: Transaction, from_user: UserId, to_user: UserId) -> None:
    """Called before answers and standings change hands: from them follows who was told about the one who goes."""
    people = {"from_user": from_user, "to_user": to_user}
    await tx.execute(_TOLD_ABOUT, **people)
    await tx.execute(_INTO_OPEN_MAIL, **people)
    await tx.execute(_DROP_OPEN_TWINS, **people)
    owed = [(NEWS_MAIL, row["id"]) for row in await tx.fetch(_OPEN, from_user=from_user)]
    today = datetime.fromtimestamp(tx.now / SECOND, UTC).date()
    # A digest is owed for the morning of a day, wherever the person is.
    owed += [(DIGEST_MAIL, (today + timedelta(days=days)).isoformat()) for days in (-1, 0, 1, 2)]
    await emails.readdress(tx, owed, from_person=from_user, to_person=to_user)
    await hand_over(tx, "news_mails", "user_id", from_user, to_user)
    await hand_over_unique(
        tx, "notifications", "user_id", ("kind", "subject_id", "subject_revision"), from_user, to_user
    )
    await hand_over_unique(tx, "notification_preferences", "user_id", ("topic", "channel"), from_user, to_user)
    await hand_over_unique(tx, "notification_hours", "user_id", (), from_user, to_user)
    await hand_over_unique(tx, "mail_links", "user_id", ("purpose", "subject"), from_user, to_user)
