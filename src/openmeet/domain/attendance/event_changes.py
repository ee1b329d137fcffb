"""Effects of a new or changed event: attendees and members of its group are notified, freed seats are filled, and RSVP
records are checked again. Fan-outs notify large audiences (``ATTENDEES``, ``GROUP_LISTENERS``).
"""

from collections.abc import Collection, Sequence
from typing import Final

import msgspec

from groundwork.clock import Instant
from groundwork.database.transaction import Reader, Transaction
from groundwork.outbox.jobs import enqueue_again, enqueue_again_among
from openmeet.domain.attendance import expected_rsvps, registration, waitlist
from openmeet.domain.attendance.expected_rsvps import IncompleteDates
from openmeet.domain.attendance.notify import (
    NOTIFIED_STATUSES,
    change_payload,
    count_people_to_notify,
    earlier_start,
    hosts_of,
    merge_recipients,
    people_to_notify_of_events,
)
from openmeet.domain.attendance.queries import CAN_BE_NOTIFIED
from openmeet.domain.attendance.seats import SeatLimits, limits_of
from openmeet.domain.attendance.visibility import people_who_see_by_role
from openmeet.domain.events import event_records, group_notices
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.events.queries import lock_subject
from openmeet.domain.groups.membership_queries import listeners
from openmeet.domain.identities.queries import mentioned_in
from openmeet.domain.notifications import event_kinds, fan_out
from openmeet.domain.notifications import notify as notifications
from openmeet.domain.notifications.event_kinds import DatesChanged
from openmeet.domain.notifications.fan_out import NOBODY_LEFT, FanOutAudience, RecipientPage
from openmeet.domain.notifications.kinds import KINDS
from openmeet.domain.notifications.model import NotificationKind, Payload
from openmeet.domain.notifications.notify import Notice, reachable_among
from openmeet.domain.users.model import UserId
from openmeet.outbox import bulk_changes, publications
from openmeet.outbox.bulk_changes import BulkChange, making_due
from openmeet.outbox.kinds import JobKind


class EventNotice(msgspec.Struct, frozen=True):
    """One change of an event, stored with its fan-out, which notifies each page of recipients with a ``Notice``. ``by``
    is the person who made it and is not notified. ``starts_at``: the earlier of the old and the new start
    (``notify.earlier_start``). ``incomplete``: the event, if a job had still to add RSVPs to it when it was changed, in
    accordance with the standing RSVPs and invitations of the series ``series_id``.
    """

    kind: str
    revision: int
    payload: DatesChanged
    by: UserId
    starts_at: Instant | None = None
    incomplete: IncompleteDates = expected_rsvps.NO_INCOMPLETE_DATES
    series_id: str = ""


class GroupEventNotice(msgspec.Struct, frozen=True):
    """A group has a new event. Stored with its fan-out."""


async def announce_change(
    tx: Transaction,
    event: Event,
    kind: NotificationKind[DatesChanged],
    *,
    by: UserId,
    before: Event | None = None,
    is_for_hosts: bool = False,
) -> None:
    """Notify everyone affected by a change of the event, and fill seats that became free. This includes co-hosts, and
    people to whose standing RSVP or invitation to all dates a job has still to add the RSVP to this date.

    ``by`` is the person who made the change; they are not notified. ``before`` is the event before the change; it
    provides the old times of an event that was moved. ``is_for_hosts``: only hosts are notified.
    """
    about, starts_at = change_payload(before, event), earlier_start(before, event)
    hosts = [user_id for user_id in await hosts_of(tx, event) if user_id != by]
    await notifications.notify(
        tx, kind, notifications.Notice(hosts, event.id, event.revision, about, starts_at=starts_at)
    )
    if not is_for_hosts:
        incomplete = await expected_rsvps.incomplete_among(tx, [event])
        series_id = await expected_rsvps.series_of(tx, event.id) if incomplete.dates else None
        notice = EventNotice(kind.name, event.revision, about, by, starts_at, incomplete, series_id or "")
        await fan_out.start(tx, ATTENDEES, event, notice)
    await waitlist.fill_seats(tx, await registration.registration_of(tx, event))


async def count_people_concerned(reader: Reader, event: Event, *, except_id: UserId) -> int:
    """How many attendees and expected attendees ``announce_change`` notifies, without one person."""
    answering = await count_people_to_notify(reader, event.id, NOTIFIED_STATUSES, except_id=except_id)
    return answering + await expected_rsvps.count(reader, event, except_id=except_id)


async def fill_freed_seats(tx: Transaction, changed: Sequence[tuple[Event, Event]]) -> None:
    """Fill the seats that became free when dates of a series changed. The dates are locked. ``changed`` has pairs of
    (before, after).
    """
    limits_before = await _limits_of_each(tx, [before for before, _ in changed])
    limits_after = await _limits_of_each(tx, [after for _, after in changed])
    freed = [
        after
        for before, after in changed
        if (limits_before[before.id], before.status, before.is_gone)
        != (limits_after[after.id], after.status, after.is_gone)
    ]
    await waitlist.fill_seats_of_each(tx, freed)


async def _limits_of_each(reader: Reader, events: Sequence[Event]) -> dict[EventId, SeatLimits]:
    registrations = await registration.registrations_of(reader, events)
    return {event_id: limits_of(one) for event_id, one in registrations.items()}


async def make_rsvp_records_due_and_fill_seats(tx: Transaction, events: Sequence[Event]) -> None:
    """Make the RSVP records of events due whose records are back after a deletion, and fill the seats that became free
    meanwhile. The events are locked.
    """
    await make_rsvp_records_due(tx, [event.id for event in events])
    await waitlist.fill_seats_of_each(tx, events)


RSVPS_OF_EVENT: Final = BulkChange(
    "rsvps_of_event",
    "select id, user_id as key from attendances where event_id {owner}",
    making_due(publications.PublicationKind.RSVP),
)


async def make_rsvp_records_due(tx: Transaction, event_ids: Sequence[str]) -> None:
    """Make the records of all RSVPs to these events due, because the events' own record, audience or existence changed.
    Whether each is published is decided when it is leased.
    """
    if event_ids and not await bulk_changes.apply(tx, RSVPS_OF_EVENT, event_ids):
        # A handler may have decided about one of them before the event became private.
        rsvps_of_events = "select id from attendances where event_id in :event_ids"
        kind = publications.PublicationKind.RSVP
        await publications.recheck_leased(tx, kind=kind, subselect=rsvps_of_events, event_ids=list(event_ids))


async def release_awaiting_rsvps(tx: Transaction, events: Sequence[Event]) -> None:
    """Enqueue the jobs (``JobKind.FETCH_SUBJECT``) that make those RSVPs effective whose authors could not see these
    events until now. The events are locked.
    """
    await enqueue_again(tx, JobKind.FETCH_SUBJECT, await event_records.record_uris_of(tx, events))


async def complete_new_dates(tx: Transaction, events: Sequence[Event]) -> None:
    """Enqueue the jobs again that add RSVPs to new dates of series (``JobKind.NEW_DATE``), because these events are back,
    or visible to more people. A job that ran in the meantime skipped people. Events that never had such a job are left
    out. They are locked.
    """
    await enqueue_again_among(tx, JobKind.NEW_DATE, [event.id for event in events])


_WITH_RECIPIENTS = f"""
    select h.event_id from event_co_hosts h where h.event_id in :event_ids and h.state = 'accepted'
    union
    select f.subject_id from fan_outs f where f.subject_id in :event_ids
    union
    select a.event_id from attendances a join users u on u.id = a.user_id
     where a.event_id in :event_ids and a.status in :concerned and {CAN_BE_NOTIFIED}
"""


async def events_with_recipients(reader: Reader, event_ids: Collection[EventId]) -> set[EventId]:
    """Return which of these events have recipients, or a fan-out that is still running."""
    if not event_ids:
        return set()
    rows = await reader.fetch(
        _WITH_RECIPIENTS, event_ids=sorted(event_ids), concerned=[one.value for one in NOTIFIED_STATUSES]
    )
    return {EventId(row["event_id"]) for row in rows}


async def _people_concerned(
    tx: Transaction, event: Event, notice: EventNotice, after: str, limit: int
) -> RecipientPage:
    answering = await people_to_notify_of_events(
        tx, [event.id], NOTIFIED_STATUSES, after=UserId(after), limit=limit + 1
    )
    expected = await expected_rsvps.people(
        tx, notice.series_id, notice.incomplete, after=UserId(after), until=None, limit=limit + 1
    )
    page, is_all = merge_recipients([answering, expected], limit)
    to = [user_id for user_id in page if user_id != notice.by]
    notices = [Notice(to, event.id, notice.revision, notice.payload, notice.starts_at)]
    return RecipientPage([(KINDS[notice.kind], notices)], None if is_all else page[-1])


async def _listeners_of_group(
    tx: Transaction, event: Event, _: GroupEventNotice, after: str, limit: int
) -> RecipientPage:
    """The next members and followers who may see the event. People mentioned in it get the mention instead.

    If the event was hidden during the fan-out, this marks it as not announced, so that the remaining people are notified
    when it is shown again. Nobody is notified twice.
    """
    if event.is_hidden:
        await group_notices.mark_due(tx, event.id)
    if event.group is None or not event.may_be_announced(tx.now):
        return NOBODY_LEFT
    people = await listeners(tx, event.group.id, after=UserId(after), limit=limit + 1)
    page = people[:limit]
    seeing = await people_who_see_by_role(tx, event, [user_id for user_id in page if user_id != event.author_id])
    mentioned = [one for one in await mentioned_in(tx, event.content.description) if one in set(seeing)]
    of_mention = await reachable_among(tx, mentioned, event_kinds.MENTION)
    others = [one for one in seeing if one not in of_mention]
    about, starts_at, sources = Payload(person_id=event.author_id), event.starts_at, (event.author_id, event.group.id)
    return RecipientPage(
        [
            (event_kinds.MENTION, [Notice(of_mention, event.id, 1, about, starts_at, sources=sources)]),
            (event_kinds.GROUP_EVENT, [Notice(others, event.id, 1, Payload(), starts_at, sources=sources)]),
        ],
        None if len(people) <= limit else page[-1],
    )


ATTENDEES: Final = FanOutAudience("attendees", EventNotice, lock_subject, _people_concerned)
GROUP_LISTENERS: Final = FanOutAudience("group_listeners", GroupEventNotice, lock_subject, _listeners_of_group)
