"""Answering, withdrawing, moving up. Every function that counts seats holds the lock on the event's row."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from groundwork.clock import DAY, Instant
from groundwork.database.transaction import Reader, Transaction
from groundwork.errors import NotFound, Refused
from openmeet.attendance import beginning, joining_queries, line, placing, queries, rules
from openmeet.attendance.joining import DEFAULT, ForeignAnswers, Joining, particulars
from openmeet.attendance.model import (
    NO_WISHES,
    AnswerMode,
    Attendance,
    AttendanceId,
    AttendanceStatus,
    NetworkAnswer,
    Reply,
    Source,
    Through,
    Wishes,
)
from openmeet.attendance.rules import Standing
from openmeet.attendance.transitions import OF_RECORD, OF_REPLY, TABLE, Act, Outcome
from openmeet.debts import publications
from openmeet.events.model import Event, EventId, EventSlug, Mode
from openmeet.events.queries import by_id as event_by_id
from openmeet.events.queries import lock_by_slug, lock_for_update
from openmeet.events.seeing import may_see
from openmeet.groups.model import INSIDE
from openmeet.groups.queries import role_in
from openmeet.notifications import actions as notifications
from openmeet.notifications.actions import Telling
from openmeet.notifications.model import NOTHING_MORE, Kind, Particulars, When
from openmeet.users.model import Caller, UserId, UserKind
from openmeet.users.queries import by_id as user_by_id

# Who hears that an event changed, is cancelled or comes back.
CONCERNED = (
    AttendanceStatus.ATTENDING,
    AttendanceStatus.INTERESTED,
    AttendanceStatus.WAITLISTED,
    AttendanceStatus.PENDING,
    AttendanceStatus.INVITED,
)


async def answer(
    tx: Transaction,
    caller: Caller,
    slug: EventSlug,
    reply: Reply,
    wishes: Wishes = NO_WISHES,
    *,
    through: Through = Through.PAGE,
    tells_host: bool = True,
) -> Attendance:
    """Record the caller's reply; the host hears of it, the caller's repository is owed a record.

    A full event puts the caller at the end of the waitlist; who was offered a place takes it. The same reply again changes
    nothing. ``tells_host`` False: the host knows, because it was given long ago. Raises NotFound (no such event, or not theirs to see), Refused (cancelled, over, closed, removed, no place for
    more people) and InvalidForm (what the host asks is missing or wrong).
    """
    event = await lock_by_slug(tx, slug)
    if event is None:
        raise NotFound("There is no such event.")
    begun = await beginning.of_answer(tx, event, caller.user_id)
    mine, joining = begun.mine, begun.joining
    if not await may_see(tx, event, caller.user_id, is_invited=rules.is_invited(mine)):
        raise NotFound("There is no such event.")
    if event.is_gone:
        raise Refused("This event has been removed.", name="EventRemoved")
    act = OF_REPLY[reply]
    standing = Standing(
        is_host=event.author_id == caller.user_id, is_member=await is_member(tx, event, joining, caller.user_id)
    )
    rules.must_be_open(event, joining, mine, act, standing, tx.now)
    said = particulars(
        event, joining, mine or await _said_before(tx, event, joining, caller), wishes, is_going=act is Act.GOING
    )
    room = act is Act.GOING and await placing.has_room(tx, event, joining, mine, said)
    # Offers that ended just now may have moved this very answer.
    mine = mine if mine is None or mine.offered_until is None else await queries.by_id(tx, mine.id)
    decided = rules.decide(event, joining, mine, act, standing=standing, has_room=room, now=tx.now)
    placing.must_keep_seat(mine, decided, said, room=room)
    if mine is not None and not placing.changed(mine, decided, said):
        return mine
    saved = await placing.put(
        tx,
        event,
        caller.user_id,
        mine,
        decided,
        said,
        source=Source.HERE,
        through=through,
        actor_id=caller.user_id,
        answered_at=mine.answered_at if mine and mine.status is decided.status else tx.now,
        owes_first=True,
        is_heard=begun.is_heard,
    )
    if mine is not None and (mine.status is not saved.status or mine.is_private is not saved.is_private):
        await placing.owe(tx, saved)
    if tells_host and event.author_id != caller.user_id and (mine is None or mine.status is not saved.status):
        await _tell_host(tx, event, saved)
    if placing.frees(mine, saved):
        await line.fill(tx, event, joining)
        return await queries.by_id(tx, saved.id) or saved
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
    joining = await joining_queries.of_event(tx, event)
    act = OF_RECORD[answer]
    is_in_group = await is_member(tx, event, joining, user_id, always=user.kind is UserKind.SHADOW)
    is_foreign = user.kind is UserKind.SHADOW and not is_in_group
    standing = Standing(is_host=event.author_id == user_id, is_member=is_in_group, is_foreign=is_foreign)
    said = replace(placing.as_said(mine), mode=_mode(event, mine))
    asks_for_room = TABLE[act][mine.status if mine else None] in {Outcome.SEAT, Outcome.CLEAR_UP}
    # An answer that takes no place anyway does not count seats: there may be very many.
    is_apart = is_foreign and joining.foreign_on(event) is not ForeignAnswers.COUNT
    room = asks_for_room and not is_apart and await placing.has_room(tx, event, joining, mine, said)
    if mine is not None and mine.offered_until is not None:
        mine = await queries.by_id(tx, mine.id)
    decided = rules.decide(event, joining, mine, act, standing=standing, has_room=room, now=tx.now)
    if mine is not None and (mine.status, mine.pending_for) == (decided.status, decided.pending_for):
        saved = mine
    else:
        saved = await placing.put(
            tx,
            event,
            user_id,
            mine,
            decided,
            said,
            source=Source.NETWORK,
            through=Through.NETWORK,
            actor_id=None,
            answered_at=first_seen,
            record_uri=record_uri,
        )
        if is_apart and saved.status is AttendanceStatus.PENDING:
            await _tell_of_foreign(tx, event)
        elif event.author_id != user_id:
            await _tell_host(tx, event, saved)
    if saved.record_uri != record_uri:
        await queries.set_record(tx, saved.id, record_uri)
    if placing.frees(mine, saved):
        await line.fill(tx, event, joining)
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
    joining = await joining_queries.of_event(tx, event)
    act, said = OF_RECORD[rules.said_by(status)], placing.as_said(mine)
    room = act is Act.NETWORK_GOING and await placing.has_room(tx, event, joining, mine, said)
    mine = await queries.by_id(tx, attendance_id) or mine
    decided = rules.decide(event, joining, mine, act, standing=Standing(), has_room=room, now=tx.now)
    saved = await placing.put(
        tx,
        event,
        mine.user_id,
        mine,
        decided,
        said,
        source=Source.HERE,
        through=Through.NETWORK,
        actor_id=None,
        answered_at=answered_at,
    )
    await placing.owe(tx, saved, edited_at=answered_at)
    if placing.frees(mine, saved):
        await line.fill(tx, event, joining)


async def withdraw_from_network(tx: Transaction, *, record_uri: str) -> AttendanceId | None:
    """An RSVP record was deleted: that very answer becomes ``declined``, no other (invariant 9). None when unknown."""
    known = await queries.by_record_uri(tx, record_uri)
    event = await lock_for_update(tx, known.event_id) if known else None
    mine = await queries.by_record_uri(tx, record_uri)
    if event is None or mine is None:
        return None
    await queries.set_record(tx, mine.id, None)
    await _gone(tx, event, mine)
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
            await line.fill(tx, event, await joining_queries.of_event(tx, event))
        else:
            await queries.set_record(tx, one.id, None)
            if one.source is not Source.HERE:
                await _gone(tx, event, one)


async def _gone(tx: Transaction, event: Event, mine: Attendance) -> None:
    """The record that this answer came from is no more."""
    decided = rules.decide(event, DEFAULT, mine, Act.NETWORK_GONE, standing=Standing(), has_room=False, now=tx.now)
    if decided.status is mine.status:
        return
    saved = await placing.put(
        tx,
        event,
        mine.user_id,
        mine,
        decided,
        placing.as_said(mine),
        source=Source.NETWORK,
        through=Through.NETWORK,
        actor_id=None,
        answered_at=tx.now,
    )
    if placing.frees(mine, saved):
        await line.fill(tx, event, await joining_queries.of_event(tx, event))


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
    await line.fill(tx, event, await joining_queries.of_event(tx, event))


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
            await line.fill(tx, after, await joining_queries.of_event(tx, after))
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


def _mode(event: Event, mine: Attendance | None) -> AnswerMode | None:
    """Records do not say how somebody takes part."""
    if event.mode is not Mode.HYBRID:
        return None
    return (mine.mode if mine else None) or AnswerMode.IN_PERSON


async def is_member(reader: Reader, event: Event, joining: Joining, user_id: UserId, *, always: bool = False) -> bool:
    """Whether somebody is in the event's group; asked only where that matters, or ``always``."""
    if event.group is None or not (joining.is_members_only or always):
        return False
    return await role_in(reader, event.group.id, user_id) in INSIDE


async def _said_before(reader: Reader, event: Event, joining: Joining, caller: Caller) -> Attendance | None:
    """What somebody said to another date of the same series beside yes: nobody is asked the same thing every week."""
    if event.place_in_series is None:
        return None
    found = await queries.latest_in_series(reader, event.place_in_series.series_id, caller.user_id)
    return found and replace(found, party=min(found.party, joining.max_party))


async def _tell_of_foreign(tx: Transaction, event: Event) -> None:
    """One notice, however many there are: while it is unread there is no other, and afterwards one a day."""
    day = tx.now // DAY
    told = await tx.fetch_one(
        "select 1 as found from notifications where user_id = :user_id and kind = :kind and subject_id = :event_id"
        " and (read_at is null or subject_revision >= :day)",
        user_id=event.author_id,
        kind=Kind.FOREIGN_ANSWERS.value,
        event_id=event.id,
        day=day,
    )
    if told is None:
        await notifications.tell(tx, [event.author_id], Kind.FOREIGN_ANSWERS, event.id, day)
