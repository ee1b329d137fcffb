"""Effects of a changed event on its RSVPs: notifications, freed seats, and records to be checked again."""

from collections.abc import Sequence

from groundwork.database.transaction import Transaction
from groundwork.outbox.jobs import enqueue_many
from openmeet.domain.attendance import registration, waitlist
from openmeet.domain.attendance.audience import ATTENDEES, EventNotice
from openmeet.domain.attendance.notify import (
    change_payload,
    earlier_start,
    hosts_of,
)
from openmeet.domain.events import by_record
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.notifications import fan_out
from openmeet.domain.notifications import notify as notifications
from openmeet.domain.notifications.kinds import DatesChanged, NotificationKind
from openmeet.domain.users.model import UserId
from openmeet.outbox import publications
from openmeet.outbox.kinds import JobKind


async def announce_change(
    tx: Transaction, event: Event, kind: NotificationKind[DatesChanged], *, by: UserId, before: Event | None = None
) -> None:
    """Notify everyone affected by a change of the event, co-hosts included, and fill seats that became free.

    ``by`` is the person who made the change; they are not notified. ``before`` is the event before the change; it
    provides the old times of an event that was moved.
    """
    about, starts_at = change_payload(before, event), earlier_start(before, event)
    hosts = [user_id for user_id in await hosts_of(tx, event) if user_id != by]
    await notifications.notify(tx, kind, event.id, hosts, about, revision=event.revision, starts_at=starts_at)
    notice = EventNotice(kind.name, event.revision, about, by, starts_at)
    await fan_out.start(tx, ATTENDEES, event, notice)
    await waitlist.fill(tx, event, await registration.of_event(tx, event))


async def fill_freed_seats(tx: Transaction, changed: Sequence[tuple[Event, Event]]) -> None:
    """Fill the seats that became free when dates of a series changed. The dates are locked. ``changed`` has pairs of
    (before, after).
    """
    freed = [
        after
        for before, after in changed
        if (before.content.capacity, before.status, before.is_gone)
        != (after.content.capacity, after.status, after.is_gone)
    ]
    await waitlist.fill_several(tx, freed)


async def restore_rsvps_of(tx: Transaction, events: Sequence[Event]) -> None:
    """Enqueue the RSVP records of restored events and fill free seats. The events are locked."""
    await recheck_rsvp_records(tx, [event.id for event in events])
    await waitlist.fill_several(tx, events)


async def recheck_rsvp_records(tx: Transaction, event_ids: Sequence[EventId]) -> None:
    """Recheck the RSVP records of events whose own record, audience or existence changed. Whether each is published is
    decided when its job is leased.
    """
    if event_ids:
        rsvps_of_events = "select id from attendances where event_id in :event_ids"
        kind = publications.PublicationKind.RSVP
        await publications.recheck_where(tx, kind=kind, subselect=rsvps_of_events, event_ids=list(event_ids))


async def reconsider_hidden_rsvps(tx: Transaction, events: Sequence[Event]) -> None:
    """Reconsider the RSVP records that were hidden before, because these events are now visible to more people. The
    events are locked.
    """
    # The current time is the job's revision, so it is greater than that of any earlier job.
    addresses = await by_record.addresses_of(tx, events)
    await enqueue_many(tx, JobKind.FETCH_SUBJECT, [(uri, tx.now, tx.now) for uri in addresses])
