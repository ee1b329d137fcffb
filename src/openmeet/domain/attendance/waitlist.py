"""Waitlist: order, offers and their expiry. Functions that write require the lock on the event row."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from groundwork.clock import Instant
from groundwork.database.transaction import Reader, Transaction
from groundwork.outbox.jobs import enqueue_again
from openmeet.domain.attendance import history, queries, registration, seats
from openmeet.domain.attendance.model import Attendance, AttendanceMode, AttendanceStatus, ChangeChannel
from openmeet.domain.attendance.notify import notify_people
from openmeet.domain.attendance.registration import EventRegistration
from openmeet.domain.attendance.seats import SeatLimits, SeatsHeld
from openmeet.domain.attendance.transitions import TRANSITIONS, AttendanceAction
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.notifications import event_kinds
from openmeet.domain.notifications.model import Payload
from openmeet.outbox import publications
from openmeet.outbox.kinds import JobKind

# How many waitlisted parties one transaction handles, and how far down the list it looks for a smaller party that may
# overtake larger ones.
MAX_PER_TRANSACTION = 500

# The action itself moves the waitlists of at most this many events, the earliest ones. Jobs move the others.
_EVENTS_AT_ONCE = 5

# SQL for the mode under which a party is counted (``seats``).
_COUNTED_MODE = "coalesce(mode, 'in_person')"


async def fill_seats(tx: Transaction, event_registration: EventRegistration) -> int:
    """Give free seats to the waitlist in its order. Return how many parties got or were offered a place. If there are
    more parties than one transaction can handle, a job continues.

    Seats are offered, and held until the offer expires. People who cannot be notified (known only by a DID) get them at
    once. So does everyone if the limit was removed. Nobody moves up if the event will not take place.
    """
    event = event_registration.event
    if event.is_cancelled or event.is_gone or event.is_over(tx.now):
        return 0
    limits = seats.limits_of(event_registration)
    if limits.is_unlimited:
        parties = await first_waitlisted(tx, event.id, MAX_PER_TRANSACTION, with_offered=True)
        await _seat(tx, event, parties)
        await _enqueue_rest(tx, event, len(parties))
        return len(parties)
    held = await queries.seats_by_mode(tx, event.id)
    if seats.are_limits_exceeded(limits, held):
        # Withdrawn offers can leave room for smaller parties, and the other mode of a hybrid event can have room.
        held = await _withdraw_offers(tx, event, limits, held)
    if limits.total is not None and held.total >= limits.total:
        return 0
    waitlists = await _waitlist_of_each_mode(tx, event.id, limits, MAX_PER_TRANSACTION)
    parties_to_seat = seats.next_up(
        limits, held, seats.merge_by_number(waitlists), allows_overtaking=seats.is_last_call(event, tx.now)
    )
    if not parties_to_seat:
        return 0
    unreachable = await queries.unreachable(tx, [one.user_id for one in parties_to_seat])
    await _seat(tx, event, [one for one in parties_to_seat if one.user_id in unreachable])
    await _offer(tx, event, [one for one in parties_to_seat if one.user_id not in unreachable])
    await _enqueue_rest(tx, event, len(parties_to_seat))
    return len(parties_to_seat)


async def fill_seats_of_each(tx: Transaction, events: Sequence[Event]) -> None:
    """``fill_seats`` for several locked events: this transaction fills a few, jobs fill the others. Events without a
    waitlist are skipped.
    """
    with_waitlist = await events_with_waitlist(tx, [event.id for event in events])
    events_to_fill = sorted(
        (one for one in events if one.id in with_waitlist), key=lambda one: (one.starts_at or 0, one.id)
    )
    for event_registration in (await registration.registrations_of(tx, events_to_fill[:_EVENTS_AT_ONCE])).values():
        await fill_seats(tx, event_registration)
    await enqueue_again(tx, JobKind.FILL_SEATS, [event.id for event in events_to_fill[_EVENTS_AT_ONCE:]])


async def events_with_waitlist(reader: Reader, event_ids: Collection[EventId]) -> set[EventId]:
    """Return which of these events have a waitlist. People with an offer count, too."""
    if not event_ids:
        return set()
    rows = await reader.fetch(
        "select distinct event_id from attendances where event_id in :ids and status = 'waitlisted' order by event_id",
        ids=sorted(event_ids),
    )
    return {EventId(row["event_id"]) for row in rows}


async def _enqueue_rest(tx: Transaction, event: Event, moved: int) -> None:
    """Enqueue a job if there may be more people to move than one transaction handles."""
    if moved >= MAX_PER_TRANSACTION:
        await enqueue_again(tx, JobKind.FILL_SEATS, [event.id])


async def end_expired_offers(tx: Transaction, event: Event, *, first: Attendance | None = None) -> int:
    """End the offers that were not accepted in time, at most ``MAX_PER_TRANSACTION``. Return how many. Call
    ``fill_seats`` next. The scheduler ends the others, whose seats stay held until then.

    ``first``: the RSVP of somebody who asks for a seat now. If its offer has expired, it is always among those that end.

    These people leave the waitlist and are not notified. While the event is cancelled nobody can accept, so they get
    their old waiting position back.
    """
    rows = await tx.fetch(
        f"select {queries.COLUMNS} from attendances where event_id = :event_id and offered_until <= :now"
        " order by case when id = :first then 0 else 1 end, id limit :limit",
        event_id=event.id,
        first="" if first is None else first.id,
        now=tx.now,
        limit=MAX_PER_TRANSACTION,
    )
    expired = [queries.attendance_of(row) for row in rows]
    if expired:
        ended = [replace(one, offered_until=None) for one in expired]
        if not event.is_cancelled:
            status = AttendanceStatus(TRANSITIONS[AttendanceAction.EXPIRE_OFFER][AttendanceStatus.WAITLISTED])
            ended = [replace(one, status=status, waitlist_number=None) for one in ended]
        saved = await queries.save_many(tx, ended)
        await history.append_many(tx, expired, saved, through=ChangeChannel.CLOCK)
    return len(expired)


async def events_with_expired_offers(reader: Reader) -> list[EventId]:
    """Ids of events with offers that have expired and were not ended yet."""
    rows = await reader.fetch(
        "select distinct event_id from attendances where offered_until <= :now order by event_id", now=reader.now
    )
    return [EventId(row["event_id"]) for row in rows]


async def events_whose_last_call_began(reader: Reader, *, since: Instant) -> list[EventId]:
    """Ids of the events with a waitlist whose last call began after ``since``."""
    rows = await reader.fetch(
        "select e.id from events e where e.starts_at > :begun and e.starts_at <= :begins and e.deleted_at is null"
        " and exists (select 1 from attendances a where a.event_id = e.id and a.status = 'waitlisted')"
        " order by e.starts_at, e.id",
        begun=since + seats.LAST_CALL,
        begins=reader.now + seats.LAST_CALL,
    )
    return [EventId(row["id"]) for row in rows]


async def dates_with_waitlist(reader: Reader, series_id: str) -> list[EventId]:
    """Ids of the upcoming dates of a series that have a waitlist."""
    rows = await reader.fetch(
        "select e.id from events e where e.series_id = :series_id and e.deleted_at is null and e.over_at > :now"
        " and exists (select 1 from attendances a where a.event_id = e.id and a.status = 'waitlisted') order by e.id",
        series_id=series_id,
        now=reader.now,
    )
    return [EventId(row["id"]) for row in rows]


async def heads_of(reader: Reader, event_id: EventId, limits: SeatLimits) -> list[Attendance]:
    """The heads of the waitlist: in each mode, the first party that could ever fit."""
    return (await _heads_of_each(reader, {event_id: limits})).get(event_id, [])


async def is_full_now(reader: Reader, event_registration: EventRegistration) -> bool:
    """Whether a person who comes alone would now have to wait, in every mode of the event."""
    return event_registration.event.id in await full_event_ids(reader, [event_registration])


async def full_event_ids(reader: Reader, registrations: Collection[EventRegistration]) -> frozenset[EventId]:
    """Ids of those events that are full: a person who comes alone would now have to wait in every mode. At most two
    queries.
    """
    limits_of_all = {one.event.id: seats.limits_of(one) for one in registrations}
    limits = {event_id: of_event for event_id, of_event in limits_of_all.items() if not of_event.is_unlimited}
    held = await queries.seats_by_mode_of_each(reader, list(limits))
    free_modes = {
        event_id: [mode for mode in _modes_with_waitlist(of_event) if seats.fits(of_event, held[event_id], 1, mode)]
        for event_id, of_event in limits.items()
    }
    # A free seat can be kept for a party on the waitlist, except during the last call.
    in_last_call = {one.event.id for one in registrations if seats.is_last_call(one.event, reader.now)}
    keeping_seats = {event_id for event_id, modes in free_modes.items() if modes} - in_last_call
    heads = await _heads_of_each(reader, {event_id: limits[event_id] for event_id in sorted(keeping_seats)})
    return frozenset(
        event_id
        for event_id, modes in free_modes.items()
        if not any(
            seats.overtakes_nobody(limits[event_id], held[event_id], heads.get(event_id, ()), mode) for mode in modes
        )
    )


def _modes_with_waitlist(limits: SeatLimits) -> tuple[AttendanceMode | None, ...]:
    """Both modes if one of them has a limit of its own, each with its own waitlist; otherwise None alone."""
    return tuple(AttendanceMode) if limits.of_mode else (None,)


async def _heads_of_each(
    reader: Reader, limits_by_event: Mapping[EventId, SeatLimits]
) -> dict[EventId, list[Attendance]]:
    """``heads_of`` for several events. Events without a waitlist are left out."""
    parts: list[str] = []
    values: dict[str, object] = {}
    for number, (event_id, limits) in enumerate(limits_by_event.items()):
        values[f"event{number}"] = event_id
        for mode in _modes_with_waitlist(limits):
            name = f"{number}_{mode or 'any'}"
            of_mode = "" if mode is None else f"and {_COUNTED_MODE} = '{mode.value}'"
            most = seats.largest_party(limits, mode)
            if most is not None:
                values[f"most{name}"] = most
            parts.append(
                f"""
                select * from (select {queries.COLUMNS} from attendances
                 where event_id = :event{number} and status = 'waitlisted' and offered_until is null {of_mode}
                   {"" if most is None else f"and party <= :most{name}"}
                 order by waitlist_number limit 1) as first{name}"""
            )
    first_by_event: dict[EventId, list[Attendance]] = {}
    if parts:
        rows = await reader.fetch(f"select * from ({' union all '.join(parts)}) as firsts order by event_id", **values)
        for one in map(queries.attendance_of, rows):
            first_by_event.setdefault(one.event_id, []).append(one)
    return first_by_event


async def _waitlist_of_each_mode(
    reader: Reader, event_id: EventId, limits: SeatLimits, limit: int
) -> list[list[Attendance]]:
    """The first ``limit`` parties of each mode's waitlist. Parties that can never fit are left out."""
    return [
        await first_waitlisted(reader, event_id, limit, mode, party_up_to=seats.largest_party(limits, mode))
        for mode in _modes_with_waitlist(limits)
    ]


async def first_waitlisted(
    reader: Reader,
    event_id: EventId,
    limit: int,
    mode: AttendanceMode | None = None,
    *,
    with_offered: bool = False,
    party_up_to: int | None = None,
) -> list[Attendance]:
    """The first ``limit`` parties of the waitlist in order, of one mode or of all. Parties that were offered a place are
    left out unless ``with_offered``. ``party_up_to`` leaves out larger parties.
    """
    rows = await reader.fetch(
        f"""
        select {queries.COLUMNS} from attendances
         where event_id = :event_id and status = 'waitlisted'
           {"" if with_offered else "and offered_until is null"} {f"and {_COUNTED_MODE} = :mode" if mode else ""}
           {"" if party_up_to is None else "and party <= :most"}
         order by waitlist_number limit :limit
        """,
        event_id=event_id,
        limit=limit,
        **({"mode": mode.value} if mode else {}),
        **({} if party_up_to is None else {"most": party_up_to}),
    )
    return [queries.attendance_of(row) for row in rows]


async def people_ahead(reader: Reader, rsvp: Attendance) -> int:
    """How many waitlisted people are ahead of this one; 0 for a person who is not waiting."""
    if rsvp.waitlist_number is None:
        return 0
    row = await reader.fetch_one(
        """
        select cast(coalesce(sum(party), 0) as bigint) as people from attendances
         where event_id = :event_id and status = 'waitlisted' and offered_until is null and waitlist_number < :number
        """,
        event_id=rsvp.event_id,
        number=rsvp.waitlist_number,
    )
    return int(row["people"]) if row else 0


async def last_number(reader: Reader, event_id: EventId) -> int:
    """The greatest waitlist number in use, or 0. The event row is locked, so no other transaction takes the next
    number.
    """
    return await _number(reader, event_id, "max")


async def first_number(reader: Reader, event_id: EventId) -> int:
    """The smallest waitlist number in use, or 0."""
    return await _number(reader, event_id, "min")


async def _number(reader: Reader, event_id: EventId, aggregate: str) -> int:
    row = await reader.fetch_one(
        f"select coalesce({aggregate}(waitlist_number), 0) as number from attendances where event_id = :event_id",
        event_id=event_id,
    )
    return int(row["number"]) if row else 0


async def _seat(tx: Transaction, event: Event, parties: Sequence[Attendance]) -> None:
    """Seat these people and notify them."""
    if not parties:
        return
    status = AttendanceStatus(TRANSITIONS[AttendanceAction.MOVE_UP][AttendanceStatus.WAITLISTED])
    seated = await queries.save_many(
        tx, [replace(one, status=status, waitlist_number=None, offered_until=None) for one in parties]
    )
    await history.append_many(tx, parties, seated, through=ChangeChannel.CLOCK)
    subjects = [publications.SubjectRevision(one.id, one.user_id, one.revision) for one in seated]
    await publications.enqueue_many(tx, kind=publications.PublicationKind.RSVP, subjects=subjects)
    await notify_people(tx, event, seated, event_kinds.MOVED_UP, Payload())


async def _offer(tx: Transaction, event: Event, parties: Sequence[Attendance]) -> None:
    """Offer seats to these people until they accept or the offer expires."""
    if not parties:
        return
    until = seats.offer_expires_at(event, tx.now)
    offered = await queries.save_many(tx, [replace(one, offered_until=until) for one in parties])
    await history.append_many(tx, parties, offered, through=ChangeChannel.CLOCK)
    await notify_people(tx, event, offered, event_kinds.SEAT_OFFERED, Payload())


async def _withdraw_offers(tx: Transaction, event: Event, limits: SeatLimits, held: SeatsHeld) -> SeatsHeld:
    """After capacity was lowered, withdraw offers of seats that no longer exist. These people get their old waiting
    position back and are notified. Return the seats that are still held. If there are more offers than one transaction
    can handle, a job continues.
    """
    modes = [mode.value for mode in AttendanceMode if seats.is_limit_exceeded_for(limits, held, mode)]
    rows = await tx.fetch(
        f"select {queries.COLUMNS} from attendances where event_id = :event_id and offered_until is not null"
        f" and {_COUNTED_MODE} in :modes order by waitlist_number desc limit :limit",
        event_id=event.id,
        modes=modes,
        limit=MAX_PER_TRANSACTION,
    )
    before = []
    for rsvp in map(queries.attendance_of, rows):
        if seats.is_limit_exceeded_for(limits, held, rsvp.mode):
            before.append(rsvp)
            held = held.plus(-rsvp.party, rsvp.mode)
    if before:
        after = await queries.save_many(tx, [replace(one, offered_until=None) for one in before])
        await history.append_many(tx, before, after, through=ChangeChannel.HOST)
        await notify_people(tx, event, after, event_kinds.SEAT_WITHDRAWN, Payload())
    if seats.are_limits_exceeded(limits, held):
        await _enqueue_rest(tx, event, len(rows))
    return held
