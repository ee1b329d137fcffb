"""Host actions on an event, with their effect on RSVPs: attendees are notified and the waitlist moves."""

from collections.abc import Callable
from dataclasses import dataclass

from groundwork.database.transaction import Reader, Transaction
from groundwork.errors import PreconditionFailed, Refused
from openmeet.domain.attendance import (
    capacity_change,
    host_decisions,
    queries,
    reevaluation,
    registration,
    waitlist,
)
from openmeet.domain.attendance.capacity_change import RegistrationImpact
from openmeet.domain.attendance.event_changes import (
    announce_change,
    complete_new_dates,
    make_rsvp_records_due,
    release_awaiting_rsvps,
)
from openmeet.domain.attendance.notify import NOTIFIED_STATUSES, has_same_time, people_to_notify
from openmeet.domain.attendance.reasons import AttendanceReason
from openmeet.domain.attendance.registration import EventRegistration, RegistrationSettings
from openmeet.domain.events import actions as event_actions
from openmeet.domain.events import drafts, ownership, record_changes, series_dates
from openmeet.domain.events.actions import lock_for_host
from openmeet.domain.events.co_host_queries import co_hosts_of
from openmeet.domain.events.model import Details, Event, EventSlug
from openmeet.domain.events.permissions import EventPermission
from openmeet.domain.events.queries import by_id, lock_by_slug, lock_series_and_dates_of, lock_series_of, several
from openmeet.domain.events.record_changes import DeletedRecordChoice
from openmeet.domain.groups.membership_queries import roles_of
from openmeet.domain.groups.model import INSIDE
from openmeet.domain.identities.queries import mentioned_in
from openmeet.domain.notifications import event_kinds
from openmeet.domain.notifications import notify as notifications
from openmeet.domain.notifications.event_kinds import DatesChanged
from openmeet.domain.notifications.model import NotificationKind, Payload
from openmeet.domain.users.model import Caller


async def lock(tx: Transaction, slug: EventSlug) -> Event | None:
    """Lock the event. If it is a date of a series, lock the series first, because another date may have to be published
    now.
    """
    await lock_series_of(tx, slug)
    return await lock_by_slug(tx, slug)


async def revise(
    tx: Transaction,
    caller: Caller,
    slug: EventSlug,
    details: Details,
    *,
    expected_revision: int | None = None,
    is_correction: bool = False,
) -> Event:
    """Edit an event with ``events.actions.revise`` and notify attendees. If the limit was raised, the waitlist moves.

    ``is_correction``: only the other hosts are notified, unless the event was moved to another time.
    """
    before = await lock(tx, slug)
    event = await event_actions.revise(tx, caller, slug, details, expected_revision=expected_revision)
    if before is not None and before.visibility is not event.visibility:
        await make_rsvp_records_due(tx, [event.id])
        await release_awaiting_rsvps(tx, [event])
        await complete_new_dates(tx, [event])
        await reevaluation.enqueue_former_members(tx, [event])
    is_for_hosts = is_correction and before is not None and has_same_time(before, event)
    reloaded = await _announce_and_reload(
        tx, caller, before, event, event_kinds.EVENT_CHANGED, is_for_hosts=is_for_hosts
    )
    if before is not None:
        await _notify_mentioned(tx, caller, before, event)
    return reloaded


async def cancel(
    tx: Transaction, caller: Caller, slug: EventSlug, reason: str, *, expected_revision: int | None = None
) -> Event:
    """Cancel an event with ``events.actions.cancel`` and notify attendees.

    If another app deleted the event's record, it stays unpublished.
    """
    before = await lock(tx, slug)
    event = await event_actions.cancel(tx, caller, slug, reason, expected_revision=expected_revision)
    if event.record_deleted_at is not None:
        event = await record_changes.keep_here(tx, event)
        await make_rsvp_records_due(tx, [event.id])
    return await _announce_and_reload(tx, caller, before, event, event_kinds.EVENT_CANCELLED)


async def decide_about_deleted_record(
    tx: Transaction, caller: Caller, slug: EventSlug, decision: DeletedRecordChoice
) -> Event:
    """Decide about a deleted record with ``record_changes.decide_about_deleted_record``, and make the RSVP records of the
    event due.

    Nobody is notified, because nothing changes for attendees.
    """
    await lock(tx, slug)
    event = await record_changes.decide_about_deleted_record(tx, caller, slug, decision)
    await make_rsvp_records_due(tx, [event.id])
    return event


async def reinstate(tx: Transaction, caller: Caller, slug: EventSlug, *, expected_revision: int | None = None) -> Event:
    """Reinstate a cancelled event with ``events.actions.reinstate`` and notify its attendees."""
    before = await lock(tx, slug)
    event = await event_actions.reinstate(tx, caller, slug, expected_revision=expected_revision)
    return await _announce_and_reload(tx, caller, before, event, event_kinds.EVENT_REINSTATED)


async def delete(tx: Transaction, caller: Caller, slug: EventSlug, *, expected_revision: int | None = None) -> Event:
    """Delete an event with ``events.actions.delete``. Its attendees are notified, and their RSVP records are deleted."""
    before = await lock(tx, slug)
    event = await event_actions.delete(tx, caller, slug, expected_revision=expected_revision)
    await make_rsvp_records_due(tx, [event.id])
    return await _announce_and_reload(tx, caller, before, event, event_kinds.EVENT_DELETED)


async def take_over(tx: Transaction, caller: Caller, slug: EventSlug) -> Event:
    """Accept the transfer of an event with ``ownership.accept``, and make the RSVP records of the event due: it is hosted
    on this site from now on, and an unlisted event of this site has no public RSVPs.
    """
    event = await ownership.accept(tx, caller, slug)
    await make_rsvp_records_due(tx, [event.id])
    return event


async def unpublish(tx: Transaction, caller: Caller, slug: EventSlug, *, expected_revision: int | None = None) -> Event:
    """Hide the event from everyone but its hosts and delete its record. A draft stays as it is.

    Raises NotFound, Forbidden, PreconditionFailed and Refused (``Answered``, ``InSeries``, or the event is a copy from
    the network).
    """
    event = await lock_for_host(tx, caller, slug, expected_revision, EventPermission.PUBLISH_DRAFT)
    if event.is_draft:
        return event
    if event.position_in_series is not None:
        raise Refused(AttendanceReason.DATE_CANNOT_BE_DRAFT, name="InSeries")
    if await queries.has_rsvps(tx, event.id):
        raise Refused(AttendanceReason.ALREADY_ANSWERED, name="Answered")
    return await drafts.return_to_draft(tx, event)


@dataclass(frozen=True, slots=True)
class LockedRegistration:
    """An event of which a host changes the registration settings, locked. ``for_series``: together with those of all dates
    of its series that have no settings of their own.
    """

    event: Event
    settings: RegistrationSettings
    for_series: bool


async def lock_registration(
    tx: Transaction, caller: Caller, slug: EventSlug, *, for_series: bool = False, expected_revision: int | None = None
) -> LockedRegistration:
    """Lock the event, or all dates of its series, for one of its hosts. ``expected_revision`` is a result of
    ``registration.revision_of``. Raises NotFound, Forbidden, PreconditionFailed.
    """
    await host_decisions.find_hosted_event(tx, caller, slug)
    if for_series:
        await lock_series_and_dates_of(tx, slug)
    event = await host_decisions.lock_hosted_event(tx, caller, slug)
    if expected_revision is not None and expected_revision != await registration.revision_of(tx, event):
        raise PreconditionFailed(AttendanceReason.CHANGED_SINCE_OPENED)
    return LockedRegistration(event, await registration.settings_of(tx, event), for_series)


async def replace_registration(
    tx: Transaction,
    locked: LockedRegistration,
    new_settings: RegistrationSettings,
    *,
    confirm: Callable[[RegistrationImpact], None] | None = None,
) -> RegistrationSettings:
    """Replace the registration settings of this event, or of every date of its series without settings of its own.
    Waitlisted RSVPs that now fit move up.

    ``confirm`` gets the impact of lower limits before anything is saved, and raises if the host has not confirmed it.
    """
    event, position = locked.event, locked.event.position_in_series
    if confirm is not None:
        dates = await _dates_with_same_settings(tx, event) if locked.for_series else [event]
        confirm(await capacity_change.impact_of_settings(tx, dates, new_settings))
    if not locked.for_series or position is None:
        saved = await registration.put(tx, event.id, new_settings)
        await waitlist.fill_seats(tx, EventRegistration(event, saved))
        return saved
    await registration.delete_own_settings(tx, event.id)
    saved = await registration.put(tx, position.series_id, new_settings)
    waited_for = await waitlist.dates_with_waitlist(tx, position.series_id)
    await waitlist.fill_seats_of_each(tx, await several(tx, waited_for))
    return saved


async def change_registration_settings(
    tx: Transaction,
    caller: Caller,
    slug: EventSlug,
    new_settings: RegistrationSettings,
    *,
    for_series: bool = False,
    expected_revision: int | None = None,
) -> RegistrationSettings:
    """``lock_registration`` and ``replace_registration``, without a question about lower limits."""
    locked = await lock_registration(tx, caller, slug, for_series=for_series, expected_revision=expected_revision)
    return await replace_registration(tx, locked, new_settings)


async def _dates_with_same_settings(reader: Reader, event: Event) -> list[Event]:
    """An event and the upcoming dates of its series that have no settings of their own."""
    if event.position_in_series is None:
        return [event]
    ids = await registration.dates_without_own_settings(reader, event.position_in_series.series_id)
    return [event, *(one for one in await several(reader, ids) if one.id != event.id)]


async def _notify_mentioned(tx: Transaction, caller: Caller, before: Event, event: Event) -> None:
    """Notify newly mentioned people who are already involved: they answered, are hosts, or are in the event's group.

    Nobody else is notified, because a mention must not be a way to contact people who are not involved.
    """
    people = [
        one
        for one in await mentioned_in(tx, event.content.description, before=before.content.description)
        if one != caller.user_id
    ]
    if not people or event.is_held:
        return
    answered = await people_to_notify(tx, event.id, NOTIFIED_STATUSES, among=people)
    co_hosts = (await co_hosts_of(tx, [event.id])).get(event.id, [])
    roles = await roles_of(tx, event.group.id, people) if event.group else {}
    involved = {event.author_id, *answered, *co_hosts, *(one for one, role in roles.items() if role in INSIDE)}
    about = Payload(person_id=caller.user_id)
    to = [one for one in people if one in involved]
    sources = [caller.user_id]
    revision, starts_at = event.revision, event.starts_at
    await notifications.notify(
        tx,
        event_kinds.MENTION,
        notifications.Notice(to, event.id, revision, about, starts_at=starts_at, sources=sources),
    )


async def _announce_and_reload(
    tx: Transaction,
    caller: Caller,
    before: Event | None,
    event: Event,
    kind: NotificationKind[DatesChanged],
    *,
    is_for_hosts: bool = False,
) -> Event:
    """Announce the change of the event, if there was one, enqueue the update of its series, and return the event as it
    is now.
    """
    if before is None or before.revision != event.revision:
        await announce_change(tx, event, kind, by=caller.user_id, before=before, is_for_hosts=is_for_hosts)
        await series_dates.enqueue_series_of(tx, event.slug)
        # If the series update also changed this date, its revision is newer now.
        return await by_id(tx, event.id) or event
    return event
