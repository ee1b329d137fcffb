"""Invitations by e-mail address to an event or to every date of its series. Event rows are locked first.

Nobody learns who owns an address: the host sees the address until the person has answered the invitation. If the person
already has an RSVP, it stays listed under their name only. The host also sees a row with the typed address, as for an
address without an account. That row is a stand-in that belongs to no account, and no e-mail is sent for it.
"""

from collections.abc import Sequence
from dataclasses import replace

from groundwork.clock import DAY, Instant
from groundwork.database.transaction import Reader, Transaction
from groundwork.errors import InvalidForm, Refused, TooMany
from openmeet.domain.attendance import (
    event_changes,
    history,
    host_decisions,
    invitation_queries,
    queries,
    registration,
    rsvp_changes,
    rules,
)
from openmeet.domain.attendance.invitation_queries import Invitee
from openmeet.domain.attendance.model import Attendance, AttendanceStatus, ChangeChannel, PendingFor
from openmeet.domain.attendance.reasons import AttendanceReason
from openmeet.domain.attendance.registration import EventRegistration
from openmeet.domain.attendance.rsvp_changes import RsvpChange
from openmeet.domain.attendance.rules import EventRelationship
from openmeet.domain.attendance.transitions import AttendanceAction
from openmeet.domain.events.model import Event, EventSlug
from openmeet.domain.events.queries import lock_dates, lock_series_and_dates_of
from openmeet.domain.events.values import Visibility
from openmeet.domain.notifications import event_kinds
from openmeet.domain.notifications.event_kinds import InvitationReceived
from openmeet.domain.sign_in.model import check_email
from openmeet.domain.users import guests
from openmeet.domain.users.model import Caller
from openmeet.domain.users.queries import by_email

# Per event. A host who writes to more people than this in a day is probably a spammer.
MAX_INVITATIONS_A_DAY = 200


async def invite(
    tx: Transaction, caller: Caller, slug: EventSlug, address: str, *, for_series: bool = False
) -> Attendance:
    """Send one invitation e-mail, unless the person has already answered. The host sees the same in both cases.

    With ``for_series``, invite to every upcoming and future date of the event's series, still with one e-mail. Raises
    NotFound, Forbidden, InvalidForm (``email``, ``for_series``), Refused (``EventOver``, ``EventHidden``),
    TooMany.
    """
    email = check_email(address)
    await guests.hold_address(tx, email)
    if for_series:
        await lock_series_and_dates_of(tx, slug)
    event = await host_decisions.lock_hosted_event(tx, caller, slug)
    await _require_invitations(tx, event, for_series=for_series)
    invited_user = await by_email(tx, email)
    user_id = invited_user.id if invited_user else await guests.find_or_make(tx, email=email, display_name="")
    invited = Invitee(user_id, caller.user_id, email)
    dates = [event]
    if for_series and event.position_in_series is not None:
        await invitation_queries.put(tx, event.position_in_series.series_id, invited)
        locked_dates = await lock_dates(tx, event.position_in_series.series_id)
        dates += [
            date
            for date in locked_dates
            if date.id != event.id and not (date.is_gone or date.is_cancelled or date.is_over(tx.now))
        ]
    results = [(date, *await _invite_to_date(tx, date, invited, is_private=invited_user is None)) for date in dates]
    # Other dates may be hidden. People see that they are invited to these when they are shown.
    newly_invited = [
        (date, rsvp)
        for date, rsvp, is_new in results
        if is_new and rsvp.user_id == user_id and not (date.is_hidden or date.is_held)
    ]
    if newly_invited:
        first, rsvp = newly_invited[0]
        about = InvitationReceived(person_id=caller.user_id, more=len(newly_invited) - 1)
        await host_decisions.notify_of_decision(tx, first, [rsvp], event_kinds.INVITED, about, by=caller.user_id)
    return results[0][1]


async def address_to_invite(
    reader: Reader, caller: Caller, slug: EventSlug, address: str, *, for_series: bool = False
) -> str:
    """The address that ``invite`` would invite, for checks before the event is locked. Raises like ``invite``."""
    email = check_email(address)
    event = await host_decisions.find_hosted_event(reader, caller, slug)
    await _require_invitations(reader, event, for_series=for_series)
    return email


async def _require_invitations(reader: Reader, event: Event, *, for_series: bool) -> None:
    """Check that people can be invited to the event now."""
    if for_series and event.position_in_series is None:
        raise InvalidForm({"for_series": AttendanceReason.NOT_IN_SERIES})
    if event.is_gone or event.is_cancelled or event.is_over(reader.now):
        raise Refused(AttendanceReason.TAKES_NO_ANSWERS, name="EventOver")
    if event.is_hidden or event.is_held:
        # A draft, for example. Nobody could open what they are invited to.
        raise Refused(AttendanceReason.SEEN_BY_HOSTS_ONLY, name="EventHidden")
    if await history.count_invitations(reader, event.id, Instant(reader.now - DAY)) >= MAX_INVITATIONS_A_DAY:
        raise TooMany(AttendanceReason.TOO_MANY_INVITATIONS, most=MAX_INVITATIONS_A_DAY, after_seconds=24 * 3600)


async def invite_to_new_dates(tx: Transaction, series_id: str, dates: Sequence[Event]) -> None:
    """Invite to new dates everyone who is invited to the whole series. They are not notified again."""
    if not dates:
        return
    for one in await invitation_queries.of_series(tx, series_id):
        is_private = await guests.find(tx, one.user_id) is not None
        for date in dates:
            await _invite_to_date(tx, date, one, is_private=is_private)


async def _invite_to_date(
    tx: Transaction, event: Event, invitee: Invitee, *, is_private: bool
) -> tuple[Attendance, bool]:
    """Return the row under which the host sees this address, and whether it was invited just now. The event is locked."""
    rsvp = await queries.by_invited_as(tx, event.id, invitee.invited_as)
    if rsvp is None and await queries.find(tx, event.id, invitee.user_id) is not None:
        stand_in = await guests.make(tx, display_name="", email=None)
        return await _save_invitation(tx, event, replace(invitee, user_id=stand_in), None, is_private=True), False
    if rsvp is not None and rsvp.status is AttendanceStatus.PENDING:
        if rsvp.pending_for is PendingFor.UNCLEAR:
            return rsvp, False  # it is not known whether they will come
        # They had asked to come and were waiting for approval. The invitation approves them.
        _, has_room = await rsvp_changes.expire_offers_and_check_room(
            tx, await registration.registration_of(tx, event), rsvp, rsvp_changes.details_of(rsvp)
        )
        approved = await host_decisions.apply_host_action(
            tx, event, rsvp, AttendanceAction.APPROVE, invitee.invited_by, has_room=has_room
        )
        await host_decisions.notify_approved(tx, event, [approved])
        return approved, False
    saved = await _save_invitation(tx, event, invitee, rsvp, is_private=is_private)
    return saved, rsvp is None or saved.status is not rsvp.status


async def _save_invitation(
    tx: Transaction, event: Event, invitee: Invitee, rsvp: Attendance | None, *, is_private: bool
) -> Attendance:
    details = replace(rsvp_changes.details_of(rsvp), is_private=rsvp.is_private if rsvp else is_private)
    decision = rules.decide(
        EventRegistration(event),
        rsvp,
        AttendanceAction.INVITE,
        relationship=EventRelationship(),
        has_room=False,
        now=tx.now,
    )
    if rsvp is not None and rsvp.status is decision.status:
        return rsvp
    user_id = invitee.user_id if rsvp is None else rsvp.user_id
    change = RsvpChange(
        event,
        user_id,
        rsvp,
        decision,
        details,
        through=ChangeChannel.HOST,
        actor_id=invitee.invited_by,
        is_approved=True,
    )
    saved = await rsvp_changes.save_decision(tx, change, enqueues_record=True)
    await queries.set_invited_as(tx, saved.id, invitee.invited_as)
    if event.visibility is Visibility.PRIVATE:
        await event_changes.release_awaiting_rsvps(tx, [event])
    return saved
