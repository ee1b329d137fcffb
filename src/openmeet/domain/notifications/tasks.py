"""Scheduled task: the weekly e-mail "Your week". What it says is read when it is sent (``emails/week.py``)."""

from groundwork.clock import HOUR, Instant
from groundwork.database.transaction import Database
from groundwork.isolation import each_with_backoff
from openmeet.domain.notifications import preferences, rules
from openmeet.domain.notifications.model import WEEK_MAIL
from openmeet.domain.users.model import UserId
from openmeet.outbox.emails import enqueue_emails

# How long before they are due the e-mails are enqueued, so that they are sent on time.
ENQUEUED_AHEAD = HOUR
# How much later they are still enqueued, if the scheduler was down, or for people who moved to a zone further west.
ENQUEUED_LATE = 12 * HOUR
# E-mails in one transaction.
ENQUEUED_AT_ONCE = 500


async def enqueue_weeks(db: Database) -> int:
    """Enqueue the weekly e-mails that are due, each once per person and Monday. Return how many.

    One transaction per batch. An interrupted run is continued by the next one.
    """
    async with db.reader() as reader:
        zones = await preferences.weekly_zones(reader)

    async def enqueue(time_zone: str) -> int:
        enqueued = 0
        after: UserId | None = UserId("")
        while after is not None:
            number, after = await _enqueue_next(db, time_zone, after)
            enqueued += number
        return enqueued

    return await each_with_backoff(db, "weekly_emails", zones, enqueue)


async def _enqueue_next(db: Database, time_zone: str, after: UserId) -> tuple[int, UserId | None]:
    """Enqueue the next e-mails in a zone, in order of the recipients' ids. Returns how many, and the last recipient if
    there may be more.
    """
    async with db.transaction() as tx:
        soon = Instant(tx.now + ENQUEUED_AHEAD)
        monday = rules.monday_of(time_zone, soon)
        begins_at, _ = rules.week_from(monday, time_zone)
        if not tx.now - ENQUEUED_LATE < begins_at <= soon:
            return 0, None
        name = monday.isoformat()
        # Who switches it on later than that gets the first one on the next Monday.
        people = await preferences.weekly_recipients(
            tx, time_zone, name, begins_at, after=after, limit=ENQUEUED_AT_ONCE
        )
        mails = [(user_id, name, rules.after_quiet_hours(hours, begins_at)) for user_id, hours in people]
        await enqueue_emails(tx, WEEK_MAIL, mails)
        return len(people), people[-1][0] if len(people) == ENQUEUED_AT_ONCE else None
