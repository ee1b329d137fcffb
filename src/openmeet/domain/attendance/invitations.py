"""Invitations by e-mail address to an event or to every date of its series. Event rows are locked first.

Nobody learns who owns an address: the host sees the address until the person has answered the invitation. If the person
already has an RSVP, it stays listed under their name only. The host also sees a row with the typed address, as for an
address without an account. That row is a stand-in that belongs to no account, and no e-mail is sent for it.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Final

from groundwork.clock import DAY, Instant
from groundwork.database.bulk import execute_each, fetch_each
from groundwork.database.expressions import qualified
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
from openmeet.domain.attendance.invitation_queries import REMOVED_ADDRESS, Invitee
from openmeet.domain.attendance.model import Attendance, AttendanceStatus, ChangeChannel, PendingFor
from openmeet.domain.attendance.queries import COLUMNS, attendance_of
from openmeet.domain.attendance.reasons import AttendanceReason
from openmeet.domain.attendance.registration import EventRegistration
from openmeet.domain.attendance.rsvp_changes import RsvpChange
from openmeet.domain.attendance.rules import EventRelationship
from openmeet.domain.attendance.transitions import AttendanceAction
from openmeet.domain.events.model import Event, EventId, EventSlug
from openmeet.domain.events.queries import lock_dates, lock_series_and_dates_of
from openmeet.domain.events.values import Visibility
from openmeet.domain.notifications import event_kinds
from openmeet.domain.notifications.event_kinds import InvitationReceived
from openmeet.domain.sign_in.model import check_email
from openmeet.domain.users import guests
from openmeet.domain.users.model import Caller, UserId
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
    await guests.lock_address(tx, email)
    if for_series:
        await lock_series_and_dates_of(tx, slug)
    event = await host_decisions.lock_hosted_event(tx, caller, slug)
    await _require_invitable(tx, event, for_series=for_series)
    invited_user = await by_email(tx, email)
    user_id = invited_user.id if invited_user else await guests.find_or_make(tx, email=email, display_name="")
    invitee = Invitee(user_id, caller.user_id, email, is_guest=invited_user is None)
    dates = [event]
    if for_series and event.position_in_series is not None:
        await invitation_queries.invite_to_series(tx, event.position_in_series.series_id, invitee)
        locked_dates = await lock_dates(tx, event.position_in_series.series_id)
        dates += [
            date
            for date in locked_dates
            if date.id != event.id and not (date.is_gone or date.is_cancelled or date.is_over(tx.now))
        ]
    results = await _invite_each(tx, [(date, invitee) for date in dates])
    # Other dates may be hidden. People see that they are invited to these when they are shown.
    newly_invited = [
        (date, rsvp)
        for date, (rsvp, is_new) in zip(dates, results, strict=True)
        if is_new and rsvp.user_id == user_id and not (date.is_hidden or date.is_held)
    ]
    if newly_invited:
        first, rsvp = newly_invited[0]
        about = InvitationReceived(person_id=caller.user_id, more=len(newly_invited) - 1)
        await host_decisions.notify_of_decision(tx, first, [rsvp], event_kinds.INVITED, about, by=caller.user_id)
    return results[0][0]


async def address_to_invite(
    reader: Reader, caller: Caller, slug: EventSlug, address: str, *, for_series: bool = False
) -> str:
    """The address that ``invite`` would invite, for checks before the event is locked. Raises what ``invite`` raises."""
    email = check_email(address)
    event = await host_decisions.find_hosted_event(reader, caller, slug)
    await _require_invitable(reader, event, for_series=for_series)
    return email


async def _require_invitable(reader: Reader, event: Event, *, for_series: bool) -> None:
    """Raise unless people can be invited to the event now."""
    if for_series and event.position_in_series is None:
        raise InvalidForm({"for_series": AttendanceReason.NOT_IN_SERIES})
    if event.is_gone or event.is_cancelled or event.is_over(reader.now):
        raise Refused(AttendanceReason.TAKES_NO_ANSWERS, name="EventOver")
    if event.is_hidden or event.is_held:
        # A draft, for example. Nobody could open what they are invited to.
        raise Refused(AttendanceReason.SEEN_BY_HOSTS_ONLY, name="EventHidden")
    if await history.count_invitations(reader, event.id, Instant(reader.now - DAY)) >= MAX_INVITATIONS_A_DAY:
        raise TooMany(AttendanceReason.TOO_MANY_INVITATIONS, most=MAX_INVITATIONS_A_DAY, after_seconds=24 * 3600)


async def invite_to_new_dates(tx: Transaction, dates: Sequence[Event], people: Sequence[Invitee]) -> None:
    """Invite people who are invited to all dates of a series to new ones, which are locked. They are not notified again.
    Idempotent, also if the host has rejected some of them meanwhile.
    """
    await _invite_each(tx, [(date, one) for date in dates for one in people], keeps_rejected=True)


# The address that a host typed. Lists show it until the person has answered.
_SET_INVITED_AS: Final = """
    update attendances set invited_as = given.invited_as from each(id text, invited_as text) as given
     where attendances.id = given.id
"""
_BY_ADDRESSES: Final = f"""
    select {qualified(COLUMNS, "a")}, a.invited_as from each(event_id text, invited_as text) as given
      join attendances a on a.event_id = given.event_id and a.invited_as = given.invited_as
"""


async def _invite_each(
    tx: Transaction, pairs: Sequence[tuple[Event, Invitee]], *, keeps_rejected: bool = False
) -> list[tuple[Attendance, bool]]:
    """Invite people to locked events. For each pair, return the RSVP under which the host sees the address, and whether
    it was invited just now. ``keeps_rejected``: nobody is invited again whom a host has rejected.

    Takes a few statements for any number of pairs, and some more for each RSVP that was pending or rejected or needs a
    stand-in.
    """
    invited = await _by_addresses(tx, {(event.id, invitee.invited_as) for event, invitee in pairs})
    own = await queries.by_keys(tx, {(event.id, invitee.user_id) for event, invitee in pairs})
    new: list[tuple[Event, Invitee, Attendance]] = []
    results: list[tuple[Attendance, bool]] = []
    for event, invitee in pairs:
        rsvp = invited.get((event.id, invitee.invited_as))
        if rsvp is not None:
            is_kept = keeps_rejected and rsvp.status is AttendanceStatus.REJECTED
            results.append((rsvp, False) if is_kept else await _invite_again(tx, event, invitee, rsvp))
            continue
        answered = own.get((event.id, invitee.user_id))
        if answered is not None and invitee.invited_as == REMOVED_ADDRESS:
            results.append((answered, False))
            continue
        # The stand-in shows the host the same as if nobody had answered.
        user_id = invitee.user_id if answered is None else await guests.make(tx, display_name="", email=None)
        made = _new_invitation(event, invitee, user_id, tx.now)
        new.append((event, invitee, made))
        own[event.id, user_id] = made
        if invitee.invited_as != REMOVED_ADDRESS:
            invited[event.id, invitee.invited_as] = made
        results.append((made, answered is None))
    await _save_new(tx, new)
    return results


async def _by_addresses(reader: Reader, keys: Collection[tuple[EventId, str]]) -> dict[tuple[EventId, str], Attendance]:
    """``queries.by_invited_address`` for several events and addresses."""
    rows = [
        {"event_id": event_id, "invited_as": address}
        for event_id, address in sorted(keys)
        if address != REMOVED_ADDRESS
    ]
    found = await fetch_each(reader, _BY_ADDRESSES, rows)
    # The first one by id, if there are two.
    by_id = sorted(((attendance_of(row), row["invited_as"]) for row in found), key=lambda one: one[0].id, reverse=True)
    return {(rsvp.event_id, address): rsvp for rsvp, address in by_id}


async def _invite_again(tx: Transaction, event: Event, invitee: Invitee, rsvp: Attendance) -> tuple[Attendance, bool]:
    """Invite an address for which the event already has an RSVP. Return it, and whether it was invited just now."""
    if rsvp.status is AttendanceStatus.PENDING:
        if rsvp.pending_for is PendingFor.UNCLEAR:
            return rsvp, False  # it is not known whether they will come
        # They had asked to come and were waiting for approval. The invitation approves them.
        _, has_room = await rsvp_changes.end_expired_offers_and_check_room(
            tx, await registration.registration_of(tx, event), rsvp, rsvp_changes.details_of(rsvp)
        )
        approved = await host_decisions.apply_host_action(
            tx, event, rsvp, AttendanceAction.APPROVE, invitee.invited_by, has_room=has_room
        )
        await host_decisions.notify_approved(tx, event, [approved])
        return approved, False
    change = _invitation(event, invitee, rsvp.user_id, rsvp, tx.now)
    if change.decision.status is rsvp.status:
        return rsvp, False
    saved = await rsvp_changes.save_decision(tx, change, enqueues_record=True)
    if event.visibility is Visibility.PRIVATE:
        await event_changes.release_awaiting_rsvps(tx, [event])
    return saved, True


def _invitation(event: Event, invitee: Invitee, user_id: UserId, rsvp: Attendance | None, now: Instant) -> RsvpChange:
    decision = rules.decide(
        EventRegistration(event),
        rsvp,
        AttendanceAction.INVITE,
        relationship=EventRelationship(),
        has_room=False,
        asked_at=now,
    )
    details = rsvp_changes.details_of(rsvp)
    if rsvp is None:
        # Nobody else may learn that somebody without an account, or a stand-in, is invited.
        details = replace(details, is_private=invitee.is_guest or user_id != invitee.user_id)
    return RsvpChange(
        event,
        user_id,
        rsvp,
        decision,
        details,
        through=ChangeChannel.HOST,
        actor_id=invitee.invited_by,
        is_approved=True,
    )


def _new_invitation(event: Event, invitee: Invitee, user_id: UserId, now: Instant) -> Attendance:
    change = _invitation(event, invitee, user_id, None, now)
    return replace(rsvp_changes.new_rsvp(change, now), approved_at=now)


async def _save_new(tx: Transaction, new: Sequence[tuple[Event, Invitee, Attendance]]) -> None:
    rsvps = [rsvp for _, _, rsvp in new]
    await queries.insert_each(tx, rsvps)
    addresses = [{"id": rsvp.id, "invited_as": invitee.invited_as} for _, invitee, rsvp in new]
    await execute_each(tx, _SET_INVITED_AS, addresses)
    await rsvp_changes.enqueue_records(tx, rsvps)
    for host in sorted({invitee.invited_by for _, invitee, _ in new}):
        of_host = [rsvp for _, invitee, rsvp in new if invitee.invited_by == host]
        await history.append_many(tx, [None] * len(of_host), of_host, through=ChangeChannel.HOST, actor_id=host)
    private = {event.id: event for event, _, _ in new if event.visibility is Visibility.PRIVATE}
    await event_changes.release_awaiting_rsvps(tx, [*private.values()])
