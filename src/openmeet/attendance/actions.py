"""Answering, withdrawing, moving up. Every function that counts seats holds the lock on the event's row."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from groundwork.clock import Instant
from groundwork.database.transaction import Transaction
from groundwork.errors import NotFound, Refused
from openmeet.attendance import queries, rules
from openmeet.attendance.model import (
    Attendance,
    AttendanceId,
    AttendanceStatus,
    NetworkAnswer,
    Reply,
    Source,
)
from openmeet.debts import publications
from openmeet.events.hosting_rules import Act
from openmeet.events.model import Event, EventId, EventSlug
from openmeet.events.queries import by_id as event_by_id
from openmeet.events.queries import lock_by_slug, lock_for_update
from openmeet.events.seeing import may_see, must_be_allowed
from openmeet.notifications import actions as notifications
from openmeet.notifications.actions import Telling
from openmeet.notifications.model import NOTHING_MORE, Kind, Particulars, When
from openmeet.users.model import Caller, UserId, UserKind
from openmeet.users.queries import by_id as user_by_id

# More than any line is long; bounds what one transaction does.
MAX_AT_ONCE = 10_000

# Who hears that an event changed, is cancelled or comes back.
CONCERNED = (
    AttendanceStatus.ATTENDING,
    AttendanceStatus.INTERESTED,
    AttendanceStatus.WAITLISTED,
    AttendanceStatus.PENDING,
    AttendanceStatus.INVITED,
)


async def answer(
    tx: Transaction, caller: Caller, slug: EventSlug, reply: Reply, *, tells_host: bool = True
) -> Attendance:
    """Record the caller's reply; the host hears of it, the caller's repository is owed a record.

    A full event puts the caller at the end of the waitlist. The same reply again changes nothing. ``tells_host`` False: the
    host knows, because it was given long ago. Raises NotFound (no such event, or not theirs to see) and Refused (cancelled,
    over, removed).
    """
    event = await lock_by_slug(tx, slug)
    mine = None if event is None else await queries.find(tx, event.id, caller.user_id)
    if event is None or not await may_see(tx, event, caller.user_id, is_invited=rules.is_invited(mine)):
        raise NotFound("There is no such event.")
    if event.is_gone:
        raise Refused("This event has been removed.", name="EventRemoved")
    taken = await queries.seats_taken(tx, event.id)
    status = rules.status_for(event, mine, reply, taken=taken, now=tx.now)
    if mine is not None and mine.status is status:
        return mine
    saved = await _put(tx, event, caller.user_id, mine, status, source=Source.HERE, answered_at=tx.now)
    await _owe(tx, saved)
    if tells_host and event.author_id != caller.user_id:
        await _tell_host(tx, event, saved)
    await _fill_seats(tx, event)
    return saved


async def apply_from_network(
    tx: Transaction,
    *,
    event_id: EventId,
    user_id: UserId,
    record_uri: str,
    answer: NetworkAnswer,
    first_seen: Instant,
) -> Attendance:
    """Take over what a person's RSVP record says; owes nothing back. ``first_seen`` is the place in the order.

    Decided once per person and event: a repeated message neither takes a seat away nor gives a second one.
    """
    event = await lock_for_update(tx, event_id)
    user = await user_by_id(tx, user_id)
    if event is None or user is None:
        raise NotFound("There is no such event or person.")
    mine = await queries.find(tx, event_id, user_id)
    # Without a limit nobody needs to know how many there are.
    taken = 0 if event.capacity is None else await queries.seats_taken(tx, event_id)
    status = rules.status_from_network(event, mine, answer, taken=taken, is_shadow=user.kind is UserKind.SHADOW)
    if mine is not None and mine.status is status:
        saved = mine
    else:
        saved = await _put(
            tx, event, user_id, mine, status, source=Source.NETWORK, answered_at=first_seen, record_uri=record_uri
        )
        if event.author_id != user_id:
            await _tell_host(tx, event, saved)
    if saved.record_uri != record_uri:
        await queries.set_record(tx, saved.id, record_uri)
    if mine is not None and rules.frees_seat(mine.status, status):
        await _fill_seats(tx, event)
    return saved


async def stand_again(
    tx: Transaction, attendance_id: AttendanceId, status: AttendanceStatus, *, answered_at: Instant
) -> None:
    """What was answered here at that instant had given way to another word, and counts after all: it is owed again.

    Seats may have been given since: who said to go takes a place where there is one.
    """
    known = await queries.by_id(tx, attendance_id)
    event = await lock_for_update(tx, known.event_id) if known else None
    mine = await queries.by_id(tx, attendance_id)
    if event is None or mine is None:
        return
    taken = await queries.seats_taken(tx, event.id)
    status = rules.status_from_network(event, mine, rules.said_by(status), taken=taken, is_shadow=False)
    if mine.status is status:
        place = mine.waitlist_number
        saved = await queries.change(
            tx, mine.id, status, waitlist_number=place, source=Source.HERE, answered_at=answered_at
        )
    else:
        saved = await _put(tx, event, mine.user_id, mine, status, source=Source.HERE, answered_at=answered_at)
    await _owe(tx, saved, edited_at=answered_at)
    if rules.frees_seat(mine.status, status):
        await _fill_seats(tx, event)


async def withdraw_from_network(tx: Transaction, *, record_uri: str) -> AttendanceId | None:
    """An RSVP record was deleted: that very answer becomes ``declined``, no other (invariant 9). None when unknown."""
    known = await queries.by_record_uri(tx, record_uri)
    event = await lock_for_update(tx, known.event_id) if known else None
    mine = await queries.by_record_uri(tx, record_uri)
    if event is None or mine is None:
        return None
    await queries.set_record(tx, mine.id, None)
    if mine.status is not AttendanceStatus.DECLINED:
        await _put(tx, event, mine.user_id, mine, AttendanceStatus.DECLINED, source=Source.NETWORK, answered_at=tx.now)
        await _fill_seats(tx, event)
    return mine.id


async def erase_from(tx: Transaction, did: str) -> None:
    """A repository was deleted with its account: answers known from it alone go, and their seats are free.

    Who has an account here keeps what they answered here.
    """
    for one in await queries.erasable(tx, did):
        event = await lock_for_update(tx, one.event_id)
        user = await user_by_id(tx, one.user_id)
        if event is None or user is None:
            continue
        if user.kind is UserKind.SHADOW:
            await queries.delete(tx, one.id)
        else:
            await queries.set_record(tx, one.id, None)
            if one.source is Source.HERE:
                continue
            await _put(tx, event, user.id, one, AttendanceStatus.DECLINED, source=Source.NETWORK, answered_at=tx.now)
        await _fill_seats(tx, event)


async def confirm(tx: Transaction, caller: Caller, slug: EventSlug) -> int:
    """The host gives a place to the answers that take none yet, in order of arrival.

    Returns how many were seated; the others, where seats ran out, join the waitlist in the same order.
    """
    event = await _lock_hosted(tx, caller, slug)
    pending = await queries.attendees(tx, event.id, [AttendanceStatus.PENDING], limit=MAX_AT_ONCE)
    taken = await queries.seats_taken(tx, event.id)
    free = len(pending) if event.capacity is None else max(0, event.capacity - taken)
    seated, waiting = pending[:free], pending[free:]
    number = await queries.next_waitlist_number(tx, event.id)
    await queries.change_many(
        tx,
        [(one.attendance_id, AttendanceStatus.ATTENDING, None) for one in seated]
        + [(one.attendance_id, AttendanceStatus.WAITLISTED, number + place) for place, one in enumerate(waiting)],
    )
    return len(seated)


async def event_changed(tx: Transaction, event: Event, kind: Kind, *, before: Event | None = None) -> None:
    """Tell everybody whom a change of the event concerns, and let people move up if it made room.

    ``before``: the event as it was, so that they read from when to when it was moved.
    """
    to = await queries.people_to_tell(tx, event.id, CONCERNED)
    await notifications.tell(
        tx,
        [user_id for user_id in to if user_id != event.author_id],
        kind,
        event.id,
        event.revision,
        _move(before, event),
        starts_at=_earlier_start(before, event),
    )
    await _fill_seats(tx, event)


async def dates_changed(
    tx: Transaction,
    changed: Sequence[tuple[Event | None, Event]],
    kind: Kind,
    *,
    also: Collection[UserId] = (),
    tells: bool = True,
) -> frozenset[UserId]:
    """Several dates of one series changed at once: everybody concerned is told once, of their earliest; who was.

    ``changed`` are pairs of before and after, whose rows are locked; seats that this made free are given. ``also``: others who
    hear of it, of the earliest date. ``tells`` False: the host chose to stay silent.
    """
    events = {after.id: (before, after) for before, after in changed}
    about: dict[UserId, EventId] = {}
    if tells and events:
        for user_id, event_id in await queries.people_of_dates(tx, list(events), CONCERNED):
            about.setdefault(user_id, event_id)
        earliest = min((after for _, after in events.values()), key=lambda one: (one.starts_at or 0, one.id))
        for user_id in also:
            about.setdefault(user_id, earliest.id)
    people: dict[EventId, list[UserId]] = {}
    for user_id, event_id in about.items():
        if user_id != events[event_id][1].author_id:
            people.setdefault(event_id, []).append(user_id)
    await notifications.tell_each(tx, kind, [_telling(told, *events[event_id]) for event_id, told in people.items()])
    for before, after in events.values():
        if before is None or before.capacity != after.capacity or before.status is not after.status:
            await _fill_seats(tx, after)
    return frozenset(user_id for told in people.values() for user_id in told)


def _telling(told: Sequence[UserId], before: Event | None, after: Event) -> Telling:
    return Telling(told, after.id, after.revision, _move(before, after), _earlier_start(before, after))


async def decide_records_anew(tx: Transaction, event_id: EventId) -> None:
    """The event has a record now, another one or none any more, is for others to see than before, or was deleted.

    What that means for the records of its answers is decided when they are paid.
    """
    ids = await queries.ids_of_event(tx, event_id)
    await publications.look_again(tx, kind=publications.Kind.RSVP, subject_ids=ids)


async def note_record(tx: Transaction, attendance_id: AttendanceId, *, uri: str, about: str | None) -> None:
    """The answer's record is at this uri, and about that event's record.

    Where the event has got another record, or is not everybody's to see any more, since this one was sent, it is owed
    once more.
    """
    await queries.set_record(tx, attendance_id, uri)
    mine = await queries.by_id(tx, attendance_id)
    event = None if mine is None else await event_by_id(tx, mine.event_id)
    if event is not None and (
        event.record_uri != about or event.deleted_at is not None or not rules.may_answers_be_public(event)
    ):
        await publications.look_again(tx, kind=publications.Kind.RSVP, subject_ids=[attendance_id])


async def forget_record(tx: Transaction, attendance_id: AttendanceId) -> None:
    """The answer has no record any more: it was taken back."""
    await queries.set_record(tx, attendance_id, None)


async def _tell_host(tx: Transaction, event: Event, saved: Attendance) -> None:
    particulars = Particulars(person_id=saved.user_id, answer=saved.status.value)
    await notifications.tell(tx, [event.author_id], Kind.NEW_ANSWER, event.id, int(tx.now), particulars)


def _move(before: Event | None, event: Event) -> Particulars:
    if before is None:
        return NOTHING_MORE
    told = NOTHING_MORE
    if before.starts_at is not None and event.starts_at is not None and before.starts_at != event.starts_at:
        told = Particulars(
            started=When(before.starts_at, before.time_zone, before.is_all_day),
            starts=When(event.starts_at, event.time_zone, event.is_all_day),
        )
    if before.exact_place != event.exact_place:
        # What is kept with news is read by whoever is told: where exactly, the mail and the page say to those who may know.
        was, now = ", ".join(before.place.lines), ", ".join(event.place.lines)
        told = replace(told, is_near=True) if was == now else replace(told, was_at=was, is_at=now)
    return told


def _earlier_start(before: Event | None, event: Event) -> Instant | None:
    """When somebody who has not heard of it would set out."""
    starts = [one.starts_at for one in (before, event) if one is not None and one.starts_at is not None]
    return min(starts, default=None)


async def _lock_hosted(tx: Transaction, caller: Caller, slug: EventSlug) -> Event:
    event = await lock_by_slug(tx, slug)
    if event is None or not await may_see(tx, event, caller.user_id, is_invited=False):
        raise NotFound("There is no such event.")
    await must_be_allowed(tx, event, caller.user_id, Act.DECIDE_ANSWERS)
    return event


async def _put(
    tx: Transaction,
    event: Event,
    user_id: UserId,
    mine: Attendance | None,
    status: AttendanceStatus,
    *,
    source: Source,
    answered_at: Instant,
    record_uri: str | None = None,
) -> Attendance:
    """``record_uri`` is of a first answer; a known one's is set by itself."""
    number = await queries.next_waitlist_number(tx, event.id) if status is AttendanceStatus.WAITLISTED else None
    if mine is None:
        return await queries.insert(
            tx,
            event.id,
            user_id,
            status,
            waitlist_number=number,
            source=source,
            record_uri=record_uri,
            answered_at=answered_at,
        )
    return await queries.change(tx, mine.id, status, waitlist_number=number, source=source, answered_at=answered_at)


async def _fill_seats(tx: Transaction, event: Event) -> None:
    """Give free seats to those who wait, first come first; nobody moves up on an event that will not happen."""
    if event.is_cancelled or event.is_gone or event.is_over(tx.now):
        return
    taken = await queries.seats_taken(tx, event.id)
    # Without a limit the whole line gets in.
    free = MAX_AT_ONCE if event.capacity is None else event.capacity - taken
    if free <= 0:
        return
    for waiting in await queries.first_waiting(tx, event.id, free):
        seated = await queries.change(
            tx,
            waiting.id,
            AttendanceStatus.ATTENDING,
            waitlist_number=None,
            source=waiting.source,
            answered_at=waiting.answered_at,
        )
        await _owe(tx, seated)
        await notifications.tell(
            tx, [seated.user_id], Kind.MOVED_UP, event.id, seated.revision, starts_at=event.starts_at
        )


async def _owe(tx: Transaction, saved: Attendance, *, edited_at: Instant | None = None) -> None:
    await publications.owe(
        tx,
        kind=publications.Kind.RSVP,
        subject_id=saved.id,
        user_id=saved.user_id,
        revision=saved.revision,
        edited_at=edited_at,
    )
