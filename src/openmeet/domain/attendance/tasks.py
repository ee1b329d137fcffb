"""Scheduled tasks: reminders the day before, expired offers, the last call of waitlists, notifications of new events in
groups, and the removal of past events. The job that fills freed seats.
"""

from collections.abc import Sequence

from groundwork.clock import DAY, HOUR, MINUTE, Instant
from groundwork.database.transaction import Database, Reader, Transaction
from groundwork.isolation import Position, each_due, each_with_backoff
from groundwork.outbox.delivery import JobHandler
from groundwork.outbox.jobs import Job
from openmeet.domain.attendance import registration, waitlist
from openmeet.domain.attendance.event_changes import GROUP_LISTENERS, GroupEventNotice, make_rsvp_records_due
from openmeet.domain.attendance.queries import CAN_BE_NOTIFIED
from openmeet.domain.events import actions as event_actions
from openmeet.domain.events import group_notices, series_dates
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.events.queries import by_id, due_for_removal, lock_for_update, lock_series_of
from openmeet.domain.notifications import event_kinds, fan_out
from openmeet.domain.notifications.model import Payload
from openmeet.domain.notifications.notify import Notice, notify
from openmeet.domain.users.model import UserId

# How long before the start a reminder is enqueued.
REMINDER_LEAD = DAY
# Reminders in one transaction. An event can have more attendees than one transaction can notify.
REMINDED_AT_ONCE = 500

# Waitlists are filled for this long after their last call begins, in case the scheduler was stopped then. After that,
# seats are given away whenever one becomes free.
LAST_CALL_WINDOW = HOUR

# Events to remove that are read at once. Each is removed in a transaction of its own.
REMOVALS_READ_AT_ONCE = 100

# The start is the revision, so a second reminder is sent only if the event is moved. People who answered on the last
# day need none.
_UNREMINDED = f"""
      from attendances a join events e on e.id = a.event_id join users u on u.id = a.user_id
     where e.starts_at > :now and e.starts_at <= :until
       and e.status <> 'cancelled' and e.deleted_at is null and e.removed_at is null
       and a.status = 'attending' and a.answered_at <= e.starts_at - :ahead
       and {CAN_BE_NOTIFIED}
       and not exists (select 1 from notifications n
                        where n.user_id = a.user_id and n.kind = 'reminder' and n.subject_id = a.event_id
                          and n.subject_revision = e.starts_at)
"""


# Gives hosts time to correct mistakes that they notice only after publishing. Drafts and held events are not announced
# yet.
GROUP_ANNOUNCEMENT_DELAY = 5 * MINUTE


async def remind(db: Database) -> int:
    """Enqueue all reminders that are due, each once. Return the number of people."""
    async with db.reader() as reader:
        rows = await reader.fetch(
            f"select distinct e.id, e.starts_at {_UNREMINDED} order by e.starts_at, e.id", **_window(reader)
        )

    async def remind_attendees(event_id: EventId) -> int:
        reminded = 0
        after: UserId | None = UserId("")
        while after is not None:
            async with db.transaction() as tx:
                people = await _remind_next(tx, event_id, after)
            reminded += len(people)
            after = people[-1] if len(people) == REMINDED_AT_ONCE else None
        return reminded

    return await each_with_backoff(db, "reminders", [EventId(row["id"]) for row in rows], remind_attendees)


async def end_expired_offers(db: Database) -> int:
    """End expired offers and give their seats to the next on the waitlist. Return how many were ended. One or more
    transactions per event.
    """
    async with db.reader() as reader:
        event_ids = await waitlist.events_with_expired_offers(reader)

    async def end(event_id: EventId) -> int:
        total = 0
        while True:
            async with db.transaction() as tx:
                event = await lock_for_update(tx, event_id)
                if event is None:
                    return total
                ended = await waitlist.end_expired_offers(tx, event)
                await waitlist.fill_seats(tx, await registration.registration_of(tx, event))
            total += ended
            if ended < waitlist.MAX_PER_TRANSACTION:
                return total

    return await each_with_backoff(db, "ended_offers", event_ids, end)


async def begin_last_calls(db: Database) -> int:
    """Offer free seats to smaller parties on waitlists whose last call has begun, before people who answer later get
    them. Return how many got or were offered a seat. One transaction per event.
    """
    async with db.reader() as reader:
        begun = await waitlist.events_whose_last_call_began(reader, since=Instant(reader.now - LAST_CALL_WINDOW))

    async def fill(event_id: EventId) -> int:
        async with db.transaction() as tx:
            return await _lock_and_fill(tx, event_id)

    return await each_with_backoff(db, "last_calls", begun, fill)


async def announce_group_events(db: Database) -> int:
    """Notify members and followers of groups of new events. Return how many events. One transaction per event. Only one
    date of a series is announced.
    """
    async with db.transaction() as tx:
        unchanged_since = Instant(tx.now - GROUP_ANNOUNCEMENT_DELAY)
        await group_notices.skip_unannounced(tx, unchanged_since)
        due = await group_notices.due_events(tx, unchanged_since)

    async def announce(event_id: EventId) -> int:
        async with db.transaction() as tx:
            event = await lock_for_update(tx, event_id)
            if event is None or not event.may_be_announced(tx.now):
                return 0
            if not await group_notices.mark_sent(tx, event.id):
                return 0
            await fan_out.start(tx, GROUP_LISTENERS, event, GroupEventNotice())
            return 1

    return await each_with_backoff(db, "group_events", due, announce)


async def remove_past_events(db: Database) -> int:
    """Delete events whose hosts chose to remove them some time after their end. Return how many. One transaction per
    event, with the effects of a deletion by the host; but nobody is notified, because the event is over.
    """

    async def next_events(after: Position) -> Sequence[tuple[int, EventId]]:
        async with db.reader() as reader:
            return await due_for_removal(reader, after, REMOVALS_READ_AT_ONCE)

    async def remove(event_id: EventId) -> int:
        async with db.transaction() as tx:
            event = await _lock_with_series(tx, event_id)
            # It may have been deleted, moved or changed since.
            if event is None or event.removes_at is None or event.removes_at > tx.now:
                return 0
            await event_actions.delete_locked(tx, event)
            await make_rsvp_records_due(tx, [event.id])
            await series_dates.enqueue_series_of(tx, event.slug)
        return 1

    return await each_due(db, "past_events", next_events, remove)


async def _lock_with_series(tx: Transaction, event_id: EventId) -> Event | None:
    """Lock the event, and its series first if it is a date of one."""
    event = await by_id(tx, event_id)
    if event is not None:
        await lock_series_of(tx, event.slug)
    return await lock_for_update(tx, event_id)


def fill_seats_handler(db: Database) -> JobHandler:
    """Handler of ``JobKind.FILL_SEATS``. The subject is the event."""

    async def handle(job: Job) -> None:
        # A full batch enqueues this job again (``waitlist.fill_seats``).
        await db.batch(lambda tx: _lock_and_fill(tx, EventId(job.subject)))

    return handle


async def _lock_and_fill(tx: Transaction, event_id: EventId) -> int:
    """``waitlist.fill_seats`` for an event that is not locked yet. 0 if it does not exist."""
    event = await lock_for_update(tx, event_id)
    return 0 if event is None else await waitlist.fill_seats(tx, await registration.registration_of(tx, event))


async def _remind_next(tx: Transaction, event_id: EventId, after: UserId) -> list[UserId]:
    """Remind the next people of an event, in order of their ids. Returns them, also those who want no reminders."""
    event = await lock_for_update(tx, event_id)
    if event is None or event.starts_at is None:
        return []
    rows = await tx.fetch(
        f"select a.user_id {_UNREMINDED} and e.id = :event_id and a.user_id > :after order by a.user_id limit :limit",
        event_id=event_id,
        after=after,
        limit=REMINDED_AT_ONCE,
        **_window(tx),
    )
    people = [UserId(row["user_id"]) for row in rows]
    starts_at = event.starts_at
    await notify(tx, event_kinds.REMINDER, Notice(people, event_id, starts_at, Payload(), starts_at=starts_at))
    return people


def _window(reader: Reader) -> dict[str, int]:
    return {"now": reader.now, "until": Instant(reader.now + REMINDER_LEAD), "ahead": REMINDER_LEAD}
