"""Lock an event for an RSVP, count seats, and save the decision: row, history, publication. Callers hold the lock."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from groundwork.clock import Instant
from groundwork.database.bulk import SqlWrite, execute_together
from groundwork.database.row_lock import hold
from groundwork.database.transaction import Row, Transaction
from groundwork.errors import Refused
from groundwork.uuid7 import new_id
from openmeet.domain.attendance import history, moved_dates, queries, registration, seats, waitlist
from openmeet.domain.attendance.model import (
    Attendance,
    AttendanceId,
    AttendanceMode,
    AttendanceStatus,
    ChangeChannel,
    RsvpSource,
)
from openmeet.domain.attendance.queries import HOLDS_SEAT
from openmeet.domain.attendance.reasons import AttendanceReason
from openmeet.domain.attendance.registration import DEFAULT, EventWithSettings
from openmeet.domain.attendance.rsvp_details import RsvpDetails
from openmeet.domain.attendance.rules import RsvpDecision
from openmeet.domain.attendance.seats import SeatsTaken
from openmeet.domain.events.model import Event, EventId, EventSlug
from openmeet.domain.events.queries import columns_of, event_of
from openmeet.domain.events.values import Mode
from openmeet.domain.groups.membership_queries import is_unwelcome_at
from openmeet.domain.users.model import UserId
from openmeet.domain.webhooks.queries import IS_ANY_ON
from openmeet.outbox import publications

COLUMNS = (
    "seats.without_mode, seats.in_person, seats.online, seats.has_expired_offers, seats.has_waitlist, seats.last_number"
)

_BY_MODE = {"without_mode": "mode is null", "in_person": "mode = 'in_person'", "online": "mode = 'online'"}


def seats_table(event_id: str) -> str:
    """SQL for a one-row table ``seats`` of the event. ``event_id`` is an SQL expression; the query needs the parameter
    ``now``.
    """
    held = ", ".join(
        f"cast(coalesce(sum(case when {which} then party end), 0) as bigint) as {name}"
        for name, which in _BY_MODE.items()
    )
    return f"""(
        select {held},
               case when exists (select 1 from attendances where event_id = {event_id} and offered_until <= :now)
                    then 1 else 0 end as has_expired_offers,
               case when exists (select 1 from attendances
                                  where event_id = {event_id} and status = 'waitlisted' and offered_until is null)
                    then 1 else 0 end as has_waitlist,
               (select coalesce(max(waitlist_number), 0) from attendances where event_id = {event_id}) as last_number
          from attendances where event_id = {event_id} and {HOLDS_SEAT}) seats"""


_SEAT_USAGE = f"select {COLUMNS} from {seats_table(':event_id')}"


@dataclass(frozen=True, slots=True)
class SeatUsage:
    """Data that decides whether there is room. ``has_expired_offers``: some offers expired unanswered.
    ``has_waitlist``: there is a waitlist, which ends at ``last_number``.
    """

    held: SeatsTaken
    has_expired_offers: bool
    has_waitlist: bool
    last_number: int


async def read_seat_usage(tx: Transaction, event_id: EventId) -> SeatUsage:
    """Seats in use now, for a decision."""
    return parse_seat_usage((await tx.fetch(_SEAT_USAGE, event_id=event_id, now=tx.now))[0])


def parse_seat_usage(row: Row) -> SeatUsage:
    """Parse a row with ``COLUMNS``."""
    held = {None: row["without_mode"], AttendanceMode.IN_PERSON: row["in_person"], AttendanceMode.ONLINE: row["online"]}
    return SeatUsage(
        SeatsTaken({mode: taken for mode, taken in held.items() if taken}),
        bool(row["has_expired_offers"]),
        bool(row["has_waitlist"]),
        row["last_number"],
    )


_OWN = [name.strip() for name in queries.COLUMNS.split(",")]
_SETTINGS = [name.strip() for name in registration.COLUMNS.split(",")]

# Events without a limit can have very many RSVPs, so their seats are not counted. Materialized, because it is
# referenced several times.
_LIMITED = """
    with limited as materialized (
        select l.id from events l
         where l.{column} = :event
           and (l.capacity is not null
                or exists (select 1 from registration_settings s
                            where s.subject_id in (l.id, l.series_id)
                              and (s.limit_in_person is not null or s.limit_online is not null))))"""


def _lock_sql(column: str) -> str:
    # Settings of an event come before the settings of its series. One row per co-host, or one row in total if there is
    # none.
    return f"""{_LIMITED.format(column=column)}
    select {columns_of("e")},
           {", ".join(f"a.{name} as own_{name}" for name in _OWN)},
           {", ".join(f"j.{name} as settings_{name}" for name in _SETTINGS)},
           {COLUMNS},
           case when {IS_ANY_ON} then 1 else 0 end as has_webhooks, h.user_id as co_host_id,
           case when {is_unwelcome_at("e.author_id", "e.group_id", "u.id")} then 1 else 0 end as is_unwelcome
      from events e left join users u on u.id = :user_id
      left join attendances a on a.event_id = e.id and a.user_id = :user_id
      left join registration_settings j on j.subject_id =
                case when exists (select 1 from registration_settings o where o.subject_id = e.id) then e.id
                    else e.series_id end
      left join {seats_table("(select id from limited)")} on 1 = 1
      left join event_co_hosts h on h.event_id = e.id and h.state = 'accepted'
     where e.{column} = :event order by h.user_id
"""


_LOCK_SQL = {column: _lock_sql(column) for column in ("slug", "id")}


@dataclass(frozen=True, slots=True)
class LockedEvent:
    """A locked event with the settings that apply, the person's RSVP so far, the seats in use (zeros if there is no
    limit) and all hosts.

    ``has_webhooks``: at least one webhook is enabled. ``is_unwelcome``: see ``membership_queries.is_unwelcome_at``.
    """

    with_settings: EventWithSettings
    rsvp: Attendance | None
    seats: SeatUsage
    has_webhooks: bool
    hosts: tuple[UserId, ...]
    is_unwelcome: bool

    @property
    def event(self) -> Event:
        return self.with_settings.event


async def lock_for_reply(tx: Transaction, slug: EventSlug, user_id: UserId) -> LockedEvent | None:
    """Lock an event for an RSVP of this person. Return None if there is no such event."""
    return await _lock(tx, "slug", slug, user_id)


async def lock_for_record(tx: Transaction, event_id: EventId, user_id: UserId) -> LockedEvent | None:
    """Lock an event for an RSVP record of this person."""
    return await _lock(tx, "id", event_id, user_id)


async def _lock(tx: Transaction, column: str, name: str, user_id: UserId) -> LockedEvent | None:
    await hold(tx, "events", column, name)
    # A separate statement, so that everything is read after the lock was acquired.
    rows = await tx.fetch(_LOCK_SQL[column], event=name, user_id=user_id, now=tx.now)
    if not rows:
        return None
    row = rows[0]
    event = event_of(row)
    own = {name: row[f"own_{name}"] for name in _OWN}
    settings = {name: row[f"settings_{name}"] for name in _SETTINGS}
    return LockedEvent(
        EventWithSettings(
            event, registration.registration_settings_of(settings) if settings["subject_id"] is not None else DEFAULT
        ),
        queries.attendance_of(own) if own["id"] is not None else None,
        parse_seat_usage(row),
        bool(row["has_webhooks"]),
        (event.author_id, *(UserId(one["co_host_id"]) for one in rows if one["co_host_id"] is not None)),
        bool(row["is_unwelcome"]),
    )


async def expire_offers_and_check_room(
    tx: Transaction,
    with_settings: EventWithSettings,
    rsvp: Attendance | None,
    details: RsvpDetails,
    *,
    usage: SeatUsage | None = None,
) -> bool:
    """End expired offers, give their seats to the waitlist, then return whether the whole party fits without overtaking
    anyone.

    The person's own seats count as free. ``usage`` has the seats in use, if they were read since the event was locked.
    """
    event, limits = with_settings.event, seats.limits_of(with_settings)
    if limits.is_unlimited:
        return True
    usage = usage or await read_seat_usage(tx, event.id)
    if usage.has_expired_offers:
        await waitlist.expire_offers(tx, event)
        await waitlist.fill(tx, with_settings)
        usage = await read_seat_usage(tx, event.id)
        # Their own offer may have expired, and the seat now belongs to somebody else (invariant 4). Or they are next,
        # and it is held for them.
        rsvp = rsvp and await queries.by_id(tx, rsvp.id)
    held = usage.held
    if rsvp is not None and rsvp.holds_seat:
        held = held.plus(-rsvp.party, rsvp.mode)
        if _needs_no_more_seats(rsvp, details):
            return True
    if not seats.fits(limits, held, details.party, details.mode):
        return False
    allows_overtaking = seats.is_last_call(event, tx.now) or not usage.has_waitlist
    return allows_overtaking or seats.overtakes_nobody(
        limits, held, await waitlist.first_of_each_mode(tx, event.id, limits), details.mode
    )


def is_changed(event: Event, rsvp: Attendance | None, decision: RsvpDecision, details: RsvpDetails) -> bool:
    """Whether the decision or the details differ from the RSVP so far, or the event was moved since the RSVP was given."""
    if rsvp is None or moved_dates.is_moved_since(event, rsvp.known_starts_at):
        return True
    return (
        rsvp.status,
        rsvp.pending_for,
        rsvp.party,
        rsvp.mode,
        rsvp.guest_names,
        dict(rsvp.form_responses),
        dict(rsvp.question_texts),
        rsvp.is_private,
        rsvp.skips_record,
    ) != (
        decision.status,
        decision.pending_for,
        details.party,
        details.mode,
        details.guest_names,
        dict(details.form_responses),
        dict(details.question_texts),
        details.is_private,
        details.skips_record,
    )


def belongs_in_history(before: Attendance, after: Attendance) -> bool:
    """Whether the change is recorded in the history of the RSVP. Webhooks are called for the same changes."""
    return (before.status, before.party, before.mode) != (after.status, after.party, after.mode)


def require_room_for_change(
    rsvp: Attendance | None, decision: RsvpDecision, details: RsvpDetails, *, has_room: bool, now: Instant
) -> None:
    """Raise Refused if somebody with a seat or an offer wants more seats, or another mode, and there are not enough
    free seats.
    """
    if rsvp is None or has_room or _needs_no_more_seats(rsvp, details):
        return
    if decision.status == rsvp.status == AttendanceStatus.ATTENDING:
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
    ``is_reply`` is True if the person decided now and knows the present start. ``record_uri`` is set only for a first
    RSVP; the URI of an existing RSVP is set separately. ``is_approved`` is True if a host approved it.
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
    is_reply: bool = False
    record_uri: str | None = None
    is_approved: bool = False


def new_rsvp(change: RsvpChange, now: Instant) -> Attendance:
    """A first RSVP that does not join the waitlist."""
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
        guest_names=details.guest_names,
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
    number: int | None = None,
) -> Attendance:
    """The RSVP with a new decision, not saved yet. ``number`` is the waitlist number; as long as it is the same, an
    offer stays valid.
    """
    return replace(
        rsvp,
        status=decision.status,
        waitlist_number=number,
        source=source,
        answered_at=answered_at,
        party=details.party,
        mode=details.mode,
        offered_until=rsvp.offered_until if number is not None and number == rsvp.waitlist_number else None,
        pending_for=decision.pending_for,
        is_private=details.is_private,
        skips_record=details.skips_record,
        guest_names=details.guest_names,
        form_responses=details.form_responses,
        question_texts=details.question_texts,
    )


async def save_decision(
    tx: Transaction,
    change: RsvpChange,
    *,
    enqueues_new_record: bool = False,
    has_webhooks: bool = True,
    last_number: int | None = None,
    extra_writes: Sequence[SqlWrite] = (),
) -> Attendance:
    """Save a decision. People who join the waitlist, or ask for more seats while on it, go to its end.

    With ``enqueues_new_record``, the record of a first RSVP is enqueued. ``has_webhooks`` is False if no webhook is
    enabled. ``last_number`` is the end of the waitlist, if known. ``extra_writes`` are executed in the same batch.
    """
    before, after = change.before, await _after_change(tx, change, last_number)
    writes = list(extra_writes)
    if before is None:
        record_writes = [_record_write(tx, after)] if enqueues_new_record else []
        writes = [queries.insert_statement(after), *record_writes, *writes]
    else:
        after = await queries.save(tx, after)
        if not belongs_in_history(before, after):
            await execute_together(tx, writes)
            return after
    await history.append(
        tx,
        change.event,
        before,
        after,
        through=change.through,
        actor_id=change.actor_id,
        extra_writes=writes,
        has_webhooks=has_webhooks,
    )
    return after


async def save_and_enqueue_record(tx: Transaction, change: RsvpChange) -> Attendance:
    """Save a decision and enqueue the RSVP's record, even if its status stays."""
    saved = await save_decision(tx, change)
    await enqueue_record(tx, saved)
    return saved


async def _after_change(tx: Transaction, change: RsvpChange, last_number: int | None) -> Attendance:
    """The RSVP after the change, not saved yet."""
    event, decision, details = change.event, change.decision, change.details
    before = change.before or new_rsvp(change, tx.now)
    is_waitlisted = decision.status is AttendanceStatus.WAITLISTED
    number = await _waitlist_number(tx, change, last_number) if is_waitlisted else None
    after = with_decision(
        before,
        decision,
        details,
        source=change.source or before.source,
        answered_at=change.answered_at or before.answered_at,
        number=number,
    )
    return replace(
        after,
        record_uri=change.record_uri,
        approved_at=tx.now if change.is_approved and before.approved_at is None else before.approved_at,
        known_starts_at=event.starts_at if change.is_reply else before.known_starts_at,
    )


async def _waitlist_number(tx: Transaction, change: RsvpChange, last_number: int | None) -> int:
    before = change.before
    if before is not None and before.waitlist_number is not None and _needs_no_more_seats(before, change.details):
        return before.waitlist_number
    return (last_number or await waitlist.last_number(tx, change.event.id)) + 1


def _needs_no_more_seats(rsvp: Attendance, details: RsvpDetails) -> bool:
    return details.party <= rsvp.party and details.mode is rsvp.mode


def stored_details(rsvp: Attendance | None) -> RsvpDetails:
    """The stored details, for actions that change only the status."""
    if rsvp is None:
        return RsvpDetails(1, None, (), {}, is_private=False)
    return RsvpDetails(
        party=rsvp.party,
        mode=rsvp.mode,
        guest_names=rsvp.guest_names,
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


async def enqueue_record(tx: Transaction, saved: Attendance, *, edited_at: Instant | None = None) -> None:
    """Enqueue the RSVP record of a person. ``edited_at`` is the time of the reply, if not now."""
    await execute_together(tx, [_record_write(tx, saved, edited_at)])


def _record_write(tx: Transaction, saved: Attendance, edited_at: Instant | None = None) -> SqlWrite:
    return publications.enqueue_write(
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
