"""Make room for an RSVP, and save the decision about it: row, history, publication. Callers hold the lock on the event."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from groundwork.clock import Instant
from groundwork.database.bulk import SqlWrite, execute_together
from groundwork.database.transaction import Reader, Transaction
from groundwork.errors import Refused
from groundwork.uuid7 import new_id
from openmeet.domain.attendance import history, moved_dates, queries, seats, waitlist
from openmeet.domain.attendance.locked_event import SeatUsage, read_seat_usage
from openmeet.domain.attendance.model import (
    Attendance,
    AttendanceId,
    AttendanceMode,
    AttendanceStatus,
    ChangeChannel,
    PendingFor,
    RsvpSource,
)
from openmeet.domain.attendance.reasons import AttendanceReason
from openmeet.domain.attendance.registration import EventRegistration
from openmeet.domain.attendance.rsvp_details import RsvpDetails
from openmeet.domain.attendance.rules import RsvpDecision
from openmeet.domain.attendance.seats import SeatAllocation, SeatLimits
from openmeet.domain.events.model import Event
from openmeet.domain.events.values import Mode
from openmeet.domain.users.model import UserId
from openmeet.outbox import publications


async def end_expired_offers_and_check_room(
    tx: Transaction,
    event_registration: EventRegistration,
    rsvp: Attendance | None,
    details: RsvpDetails,
    *,
    usage: SeatUsage | None = None,
) -> tuple[Attendance | None, bool]:
    """End expired offers, and give their seats to the waitlist. Return the RSVP as it is then, because its own offer may
    have ended or it may have moved up, and whether the whole party fits without overtaking anyone.

    The person's own seats count as free. ``usage`` has the seats in use, if they were read since the event was locked.
    """
    event, limits = event_registration.event, seats.limits_of(event_registration)
    if limits.is_unlimited:
        return rsvp, True
    usage = usage or await read_seat_usage(tx, event.id)
    if usage.has_expired_offers:
        usage = await _end_expired_offers_and_fill_seats(tx, event_registration, rsvp)
        # Their own offer may have expired, and the seat now belongs to somebody else (invariant 4). Or they are next,
        # and it is held for them.
        rsvp = rsvp and await queries.by_id(tx, rsvp.id)
    return rsvp, await _has_room(tx, event, limits, usage, rsvp, details)


async def _has_room(
    reader: Reader, event: Event, limits: SeatLimits, usage: SeatUsage, rsvp: Attendance | None, details: RsvpDetails
) -> bool:
    """Whether the whole party fits without overtaking anyone. The person's own seats count as free."""
    held = usage.held
    if rsvp is not None and rsvp.holds_seat:
        held = held.plus(-rsvp.party, rsvp.mode)
        if _needs_no_more_seats(rsvp, details):
            return True
    if not seats.fits(limits, held, details.party, details.mode):
        return False
    allows_overtaking = seats.is_last_call(event, reader.now) or not usage.somebody_waits
    return allows_overtaking or seats.overtakes_nobody(
        limits, held, await waitlist.heads_of(reader, event.id, limits), details.mode
    )


async def end_expired_offers_and_begin_allocation(
    tx: Transaction, event_registration: EventRegistration
) -> SeatAllocation:
    """``end_expired_offers_and_check_room`` for many people who have no seats yet, one after the other."""
    event, limits = event_registration.event, seats.limits_of(event_registration)
    if limits.is_unlimited:
        return SeatAllocation(limits)
    usage = await read_seat_usage(tx, event.id)
    if usage.has_expired_offers:
        usage = await _end_expired_offers_and_fill_seats(tx, event_registration, None)
    heads = await waitlist.heads_of(tx, event.id, limits) if usage.somebody_waits else ()
    return SeatAllocation(limits, usage.held, tuple(heads), seats.is_last_call(event, tx.now))


async def _end_expired_offers_and_fill_seats(
    tx: Transaction, event_registration: EventRegistration, rsvp: Attendance | None
) -> SeatUsage:
    await waitlist.end_expired_offers(tx, event_registration.event, first=rsvp)
    await waitlist.fill_seats(tx, event_registration)
    return await read_seat_usage(tx, event_registration.event.id)


def is_changed(event: Event, rsvp: Attendance | None, decision: RsvpDecision, details: RsvpDetails) -> bool:
    """Whether the decision or the details differ from the RSVP so far, or the event was moved since the RSVP was given."""
    if rsvp is None or moved_dates.is_moved_since(event, rsvp.known_starts_at):
        return True
    return (
        rsvp.status,
        rsvp.pending_for,
        rsvp.party,
        rsvp.mode,
        rsvp.companion_names,
        dict(rsvp.form_responses),
        dict(rsvp.question_texts),
        rsvp.is_private,
        rsvp.skips_record,
    ) != (
        decision.status,
        decision.pending_for,
        details.party,
        details.mode,
        details.companion_names,
        dict(details.form_responses),
        dict(details.question_texts),
        details.is_private,
        details.skips_record,
    )


def belongs_in_history(before: Attendance, after: Attendance) -> bool:
    """Whether the change is recorded in the history of the RSVP. Webhooks are called for the same changes.

    Of the changes between two kinds of pending, only those from an unclear status are replies.
    """
    is_clear_now = before.pending_for is PendingFor.UNCLEAR and after.pending_for is not PendingFor.UNCLEAR
    return is_clear_now or (before.status, before.party, before.mode) != (after.status, after.party, after.mode)


def require_room_for_change(
    rsvp: Attendance | None, decision: RsvpDecision, details: RsvpDetails, *, has_room: bool, now: Instant
) -> None:
    """Raise Refused if somebody with a seat or an offer wants more seats, or another mode, and there are not enough
    free seats.
    """
    if rsvp is None or has_room or _needs_no_more_seats(rsvp, details):
        return
    if rsvp.is_seated and decision.status is rsvp.status:
        reason = AttendanceReason.PLACE_KEPT
    elif decision.status is AttendanceStatus.WAITLISTED and rsvp.has_offer(now):
        reason = AttendanceReason.OFFER_KEPT
    else:
        return
    raise Refused(reason, name="NotEnoughPlaces")


@dataclass(frozen=True, slots=True)
class RsvpChange:
    """A decision about an RSVP, to be saved. ``before`` is the RSVP so far; ``actor_id`` caused the change.

    ``source`` and ``answered_at`` are None if this is no reply of the person: then they stay as they were.
    ``knows_start``: the person replied now, so they know the present start. ``record_uri`` is used only for a first
    RSVP; the URI of an existing RSVP is set separately. ``is_approved`` is True if a host approved it. ``edited_at`` is
    the time of the edit for its record, if not now.
    """

    event: Event
    user_id: UserId
    before: Attendance | None
    decision: RsvpDecision
    details: RsvpDetails
    through: ChangeChannel
    actor_id: UserId | None
    source: RsvpSource | None = None
    answered_at: Instant | None = None
    knows_start: bool = False
    record_uri: str | None = None
    is_approved: bool = False
    edited_at: Instant | None = None


def new_rsvp(change: RsvpChange, now: Instant) -> Attendance:
    """A first RSVP, without a number on the waitlist."""
    decision, details = change.decision, change.details
    return Attendance(
        id=AttendanceId(new_id(now)),
        event_id=change.event.id,
        user_id=change.user_id,
        status=decision.status,
        waitlist_number=None,
        source=change.source or RsvpSource.HERE,
        revision=1,
        record_uri=change.record_uri,
        created_at=now,
        answered_at=change.answered_at or now,
        party=details.party,
        mode=details.mode,
        pending_for=decision.pending_for,
        known_starts_at=change.event.starts_at,
        is_private=details.is_private,
        skips_record=details.skips_record,
        companion_names=details.companion_names,
        form_responses=details.form_responses,
        question_texts=details.question_texts,
    )


def with_decision(
    rsvp: Attendance,
    decision: RsvpDecision,
    details: RsvpDetails,
    *,
    source: RsvpSource,
    answered_at: Instant,
    waitlist_number: int | None = None,
) -> Attendance:
    """The RSVP with a new decision, not saved yet. An offer stays valid as long as ``waitlist_number`` is the same."""
    return replace(
        rsvp,
        status=decision.status,
        waitlist_number=waitlist_number,
        source=source,
        answered_at=answered_at,
        party=details.party,
        mode=details.mode,
        offered_until=rsvp.offered_until
        if waitlist_number is not None and waitlist_number == rsvp.waitlist_number
        else None,
        pending_for=decision.pending_for,
        is_private=details.is_private,
        skips_record=details.skips_record,
        companion_names=details.companion_names,
        form_responses=details.form_responses,
        question_texts=details.question_texts,
    )


async def save_decision(
    tx: Transaction,
    change: RsvpChange,
    *,
    enqueues_record: bool,
    has_webhooks: bool = True,
    last_waitlist_number: int | None = None,
    extra_writes: Sequence[SqlWrite] = (),
) -> Attendance:
    """Save a decision. People who join the waitlist, or ask for more seats while on it, go to its end.

    ``enqueues_record``: also enqueue the RSVP's record. ``has_webhooks`` is False if no webhook is enabled.
    ``last_waitlist_number`` is the end of the waitlist, if known. ``extra_writes`` are executed in the same batch.
    """
    before, after = change.before, await _after_change(tx, change, last_waitlist_number)
    writes: list[SqlWrite] = []
    if before is None:
        writes.append(queries.insert_statement(after))
    else:
        after = await queries.save(tx, after)
    if enqueues_record:
        writes.append(record_enqueue_write(tx, after, change.edited_at))
    writes.extend(extra_writes)
    is_recorded = before is None or belongs_in_history(before, after)
    if is_recorded:
        writes.append(history.entry_write(tx, before, after, through=change.through, actor_id=change.actor_id))
    await execute_together(tx, writes)
    if is_recorded:
        await history.enqueue_webhooks(tx, change.event, after, has_webhooks=has_webhooks)
    return after


async def save_and_enqueue_records(tx: Transaction, changes: Sequence[RsvpChange]) -> list[Attendance]:
    """``save_decision`` with ``enqueues_record``, for decisions about existing RSVPs to one event, all made by the same
    host and through the same channel. Takes the same number of statements for any number of them.
    """
    joins_waitlist = any(one.decision.status is AttendanceStatus.WAITLISTED for one in changes)
    last_waitlist_number = await waitlist.last_number(tx, changes[0].event.id) if joins_waitlist else None
    after: list[Attendance] = []
    for change in changes:
        rsvp = await _after_change(tx, change, last_waitlist_number)
        if last_waitlist_number is not None and rsvp.waitlist_number is not None:
            last_waitlist_number = max(last_waitlist_number, rsvp.waitlist_number)
        after.append(rsvp)
    saved = await queries.save_many(tx, after)
    pairs = zip([one.before for one in changes], saved, strict=True)
    changed = [(old, new) for old, new in pairs if old is not None and belongs_in_history(old, new)]
    if changed:
        before, after = [old for old, _ in changed], [new for _, new in changed]
        await history.append_many(tx, before, after, through=changes[0].through, actor_id=changes[0].actor_id)
    await enqueue_records(tx, saved)
    return saved


async def _after_change(tx: Transaction, change: RsvpChange, last_waitlist_number: int | None) -> Attendance:
    """The RSVP after the change, not saved yet."""
    event, decision, details = change.event, change.decision, change.details
    before = change.before or new_rsvp(change, tx.now)
    is_waitlisted = decision.status is AttendanceStatus.WAITLISTED
    waitlist_number = await _waitlist_number(tx, change, last_waitlist_number) if is_waitlisted else None
    after = with_decision(
        before,
        decision,
        details,
        source=change.source or before.source,
        answered_at=change.answered_at or before.answered_at,
        waitlist_number=waitlist_number,
    )
    return replace(
        after,
        approved_at=tx.now if change.is_approved and before.approved_at is None else before.approved_at,
        known_starts_at=event.starts_at if change.knows_start else before.known_starts_at,
    )


async def _waitlist_number(tx: Transaction, change: RsvpChange, last_waitlist_number: int | None) -> int:
    before = change.before
    if before is not None and before.waitlist_number is not None and _needs_no_more_seats(before, change.details):
        return before.waitlist_number
    return (
        await waitlist.last_number(tx, change.event.id) if last_waitlist_number is None else last_waitlist_number
    ) + 1


def _needs_no_more_seats(rsvp: Attendance, details: RsvpDetails) -> bool:
    return details.party <= rsvp.party and details.mode is rsvp.mode


def details_of(rsvp: Attendance | None) -> RsvpDetails:
    """The details of the RSVP, for actions that change only the status; the default ones if there is no RSVP."""
    if rsvp is None:
        return RsvpDetails(1, None, (), {}, is_private=False)
    return RsvpDetails(
        party=rsvp.party,
        mode=rsvp.mode,
        companion_names=rsvp.companion_names,
        form_responses=rsvp.form_responses,
        is_private=rsvp.is_private,
        skips_record=rsvp.skips_record,
        question_texts=rsvp.question_texts,
    )


def mode_for_record_reply(event: Event, rsvp: Attendance | None) -> AttendanceMode | None:
    """The mode of a reply by record. Records contain no mode, so it is the mode of the RSVP so far, or else in person.
    None unless the event is hybrid.
    """
    if event.content.mode is not Mode.HYBRID:
        return None
    return (rsvp.mode if rsvp else None) or AttendanceMode.IN_PERSON


async def enqueue_records(tx: Transaction, saved: Sequence[Attendance]) -> None:
    """Enqueue the RSVP records of several people."""
    if saved:
        subjects = [publications.SubjectRevision(one.id, one.user_id, one.revision) for one in saved]
        await publications.enqueue_many(tx, kind=publications.PublicationKind.RSVP, subjects=subjects)


def record_enqueue_write(tx: Transaction, saved: Attendance, edited_at: Instant | None = None) -> SqlWrite:
    """The SQL write that enqueues the RSVP record of a person. ``edited_at`` is the time of the reply, if not now."""
    return publications.publication_write(
        tx,
        kind=publications.PublicationKind.RSVP,
        subject_id=saved.id,
        user_id=saved.user_id,
        revision=saved.revision,
        edited_at=edited_at,
    )


def may_move_waitlist(before: Attendance | None, after: Attendance) -> bool:
    """Whether the waitlist may move after this change, because seats were freed or its order changed."""
    return before is not None and before.revision != after.revision and may_move_waitlist_if_saved(before, after)


def may_move_waitlist_if_saved(before: Attendance, after: Attendance) -> bool:
    """``may_move_waitlist`` for a change that is not saved yet."""
    seats_before, seats_after = (one.party if one.holds_seat else 0 for one in (before, after))
    return seats_after < seats_before or before.mode is not after.mode or before.status is AttendanceStatus.WAITLISTED
