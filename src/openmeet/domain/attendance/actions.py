"""Answering, withdrawing, moving up. Every function that counts seats holds the lock on the event's row."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from groundwork.clock import Instant
from groundwork.database.transaction import Reader, Transaction, TransactionConflict
from groundwork.errors import NotFound, Refused
from openmeet.domain.attendance import crowds, notify, queries, registration, rules, save, waitlist
from openmeet.domain.attendance.crowds import EventNotice
from openmeet.domain.attendance.model import (
    NO_WISHES,
    Attendance,
    AttendanceId,
    AttendanceStatus,
    NetworkAnswer,
    RsvpReply,
    RsvpRequest,
    RsvpSource,
    Through,
)
from openmeet.domain.attendance.notify import (
    earlier_start,
    hosts_of,
    news_of_hosts,
    particulars_of,
    tell_hosts,
    tell_of_foreign,
)
from openmeet.domain.attendance.registration import ForeignAnswers, RegistrationSettings
from openmeet.domain.attendance.response_details import particulars
from openmeet.domain.attendance.rules import Eligibility
from openmeet.domain.attendance.transitions import OF_RECORD, OF_REPLY, TABLE, AttendanceAction, AttendanceTransition
from openmeet.domain.events.model import Event, EventId, EventSlug
from openmeet.domain.events.queries import by_id as event_by_id
from openmeet.domain.events.queries import lock_for_update
from openmeet.domain.events.seeing import may_answer_from_network, may_see
from openmeet.domain.groups.model import INSIDE
from openmeet.domain.groups.queries import role_in
from openmeet.domain.notifications import notify as notifications
from openmeet.domain.notifications.model import NotificationKind
from openmeet.domain.users.model import Caller, UserId, UserKind
from openmeet.domain.users.queries import by_id as user_by_id
from openmeet.outbox import publications

# Whether an answer's record (by its uri) counts and is about an event's record (by its uri): records are another room's.
IsAbout = Callable[[Reader, str, str | None], Awaitable[bool]]


async def answer(
    tx: Transaction,
    caller: Caller,
    slug: EventSlug,
    reply: RsvpReply,
    wishes: RsvpRequest = NO_WISHES,
    *,
    through: Through = Through.PAGE,
    tells_host: bool = True,
    is_single: bool = True,
) -> Attendance:
    """Record the caller's reply; the host hears of it, the caller's repository is owed a record.

    A full event puts the caller at the end of the waitlist; who was offered a place takes it. The same reply again changes
    nothing. ``tells_host`` False: the host knows, because it was given long ago. ``is_single`` False: one of many answers at once,
    or somebody who gets another letter about it: no mail brings its entry for the calendar. Raises NotFound (no such event, or not
    theirs to see), Refused (cancelled, over, closed, removed, no place for more people) and InvalidForm (what the host asks
    is missing or wrong). Taking back what one answered is always possible.
    """
    begun = await save.of_answer(tx, slug, caller.user_id)
    if begun is None:
        raise NotFound("There is no such event.")
    event, mine, joining = begun.event, begun.mine, begun.joining
    act = OF_REPLY[reply]
    # Who has an answer may always take it back, whatever became of their sight of the event.
    takes_back = act is AttendanceAction.DECLINE and rules.is_invited(mine)
    if not takes_back and not await may_see(tx, event, caller.user_id, is_invited=rules.is_invited(mine)):
        raise NotFound("There is no such event.")
    if event.is_gone:
        raise Refused("This event has been removed.", name="EventRemoved")
    if begun.is_unwelcome and act is not AttendanceAction.DECLINE:
        raise Refused("You cannot answer to this event.", name="NotWelcome")
    standing = Eligibility(
        is_host=caller.user_id in begun.hosts, is_member=await is_member(tx, event, joining, caller.user_id)
    )
    rules.must_be_open(event, joining, mine, act, standing, tx.now)
    said = particulars(
        event,
        joining,
        mine or await _said_before(tx, event, joining, caller),
        wishes,
        is_going=act is AttendanceAction.GOING,
    )
    room = act is AttendanceAction.GOING and await save.has_room(tx, event, joining, mine, said, known=begun.places)
    # Offers that ended just now may have moved this very answer, out of the line or to its head.
    mine = await queries.by_id(tx, mine.id) if mine is not None and begun.places.has_late_offers else mine
    decided = rules.decide(event, joining, mine, act, standing=standing, has_room=room, now=tx.now)
    save.must_keep_seat(mine, decided, said, room=room, now=tx.now)
    if mine is not None and not save.changed(mine, decided, said):
        return mine
    tells = tells_host and event.author_id != caller.user_id and (mine is None or mine.status is not decided.status)
    news = await news_of_hosts(tx, event, begun.hosts, caller.user_id, decided.status) if tells else ()
    saved = await save.put(
        tx,
        event,
        caller.user_id,
        mine,
        decided,
        said,
        source=RsvpSource.HERE,
        through=through,
        actor_id=caller.user_id,
        answered_at=mine.answered_at if mine and mine.status is decided.status else tx.now,
        owes_first=True,
        is_heard=begun.is_heard,
        last_number=begun.places.last_number,
        along=[*(news or ()), *(notify.owing(tx, event, caller, mine, decided) if is_single else ())],
    )
    if mine is not None and (
        mine.status is not saved.status
        or mine.is_private is not saved.is_private
        or mine.skips_record is not saved.skips_record
    ):
        await save.enqueue(tx, saved)
    if news is None:
        await tell_hosts(tx, event, begun.hosts, caller.user_id, saved.status)
    if save.frees(mine, saved):
        await waitlist.fill(tx, event, joining)
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
) -> Attendance | None:
    """Take over what a person's RSVP record says; owes nothing back. ``first_seen`` is the place in the order.

    None, and nothing is taken over, where the event does not exist for them without it: an answer lets people see a private
    event, and everybody may write a record (invariant 3). Decided once per person and event: a repeated message neither takes a seat away nor gives a second one.
    """
    begun = await save.of_record(tx, event_id, user_id)
    user = await user_by_id(tx, user_id)
    if begun is None:
        raise NotFound("There is no such event.")
    if user is None:
        raise TransactionConflict("this person was joined with another row of theirs")
    event, mine, joining = begun.event, begun.mine, begun.joining
    if not rules.is_invited(mine) and not await may_answer_from_network(tx, event, user_id):
        return None
    # Whom the host keeps away, or a moderator has blocked, may write what they want: here it is no.
    act = AttendanceAction.NETWORK_NOT_GOING if begun.is_unwelcome else OF_RECORD[answer]
    is_in_group = await is_member(tx, event, joining, user_id, always=user.kind is UserKind.SHADOW)
    is_foreign = user.kind is UserKind.SHADOW and not is_in_group
    standing = Eligibility(is_host=user_id in begun.hosts, is_member=is_in_group, is_foreign=is_foreign)
    said = replace(save.as_said(mine), mode=save.mode_of_record(event, mine))
    if mine is None or mine.record_uri != record_uri:
        await queries.release_records(tx, {record_uri})
    asks_for_room = TABLE[act][mine.status if mine else None] in {
        AttendanceTransition.SEAT,
        AttendanceTransition.CLEAR_UP,
    }
    # There may be very many, and they take no place.
    is_apart = is_foreign and joining.foreign_on(event) is not ForeignAnswers.COUNT
    room = asks_for_room and not is_apart and await save.has_room(tx, event, joining, mine, said, known=begun.places)
    if mine is not None and begun.places.has_late_offers:
        mine = await queries.by_id(tx, mine.id)
    decided = rules.decide(event, joining, mine, act, standing=standing, has_room=room, now=tx.now)
    if mine is not None and (mine.status, mine.pending_for) == (decided.status, decided.pending_for):
        saved = mine
    else:
        saved = await save.put(
            tx,
            event,
            user_id,
            mine,
            decided,
            said,
            source=RsvpSource.NETWORK,
            through=Through.NETWORK,
            actor_id=None,
            answered_at=first_seen,
            record_uri=record_uri,
            # Whoever never came here got no mail that could have brought an entry.
            along=() if user.kind is UserKind.SHADOW else notify.owing_end(tx, event, user_id, mine, decided),
        )
        if is_apart and saved.status is AttendanceStatus.PENDING:
            await tell_of_foreign(tx, event)
        elif event.author_id != user_id:
            await tell_hosts(tx, event, begun.hosts, user_id, saved.status)
    if saved.record_uri != record_uri:
        await queries.set_record(tx, saved.id, record_uri)
    if save.frees(mine, saved):
        await waitlist.fill(tx, event, joining)
    return saved


async def stand_again(
    tx: Transaction, attendance_id: AttendanceId, status: AttendanceStatus, *, answered_at: Instant
) -> int:
    """What was answered here at that instant had given way to another word, and counts after all: it is owed again. Its revision.

    Seats may have been given since: who said to go takes a place where there is one. Raises NotFound.
    """
    known = await queries.by_id(tx, attendance_id)
    event = await lock_for_update(tx, known.event_id) if known else None
    mine = await queries.by_id(tx, attendance_id)
    if event is None or mine is None:
        raise NotFound("There is no such answer.")
    joining = await registration.of_event(tx, event)
    act, said = OF_RECORD[rules.said_by(status)], save.as_said(mine)
    room = act is AttendanceAction.NETWORK_GOING and await save.has_room(tx, event, joining, mine, said)
    mine = await queries.by_id(tx, attendance_id) or mine
    decided = rules.decide(event, joining, mine, act, standing=Eligibility(), has_room=room, now=tx.now)
    saved = await save.put(
        tx,
        event,
        mine.user_id,
        mine,
        decided,
        said,
        source=RsvpSource.HERE,
        through=Through.NETWORK,
        actor_id=None,
        answered_at=answered_at,
    )
    await save.enqueue(tx, saved, edited_at=answered_at)
    if save.frees(mine, saved):
        await waitlist.fill(tx, event, joining)
    return saved.revision


async def withdraw_unrecorded(tx: Transaction, attendance_id: AttendanceId) -> None:
    """The record that this answer had was deleted after it was given, and that is known only now."""
    known = await queries.by_id(tx, attendance_id)
    event = await lock_for_update(tx, known.event_id) if known else None
    mine = await queries.by_id(tx, attendance_id)
    if event is not None and mine is not None:
        await _gone(tx, event, mine)


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
            await waitlist.fill(tx, event, await registration.of_event(tx, event))
        else:
            await queries.set_record(tx, one.id, None)
            if one.source is not RsvpSource.HERE:
                await _gone(tx, event, one)


async def _gone(tx: Transaction, event: Event, mine: Attendance) -> None:
    """The record that this answer came from is no more."""
    decided = rules.without_record(mine)
    if decided.status is mine.status:
        return
    user = await user_by_id(tx, mine.user_id)
    is_stranger = user is None or user.kind is UserKind.SHADOW
    saved = await save.put(
        tx,
        event,
        mine.user_id,
        mine,
        decided,
        save.as_said(mine),
        source=RsvpSource.NETWORK,
        through=Through.NETWORK,
        actor_id=None,
        answered_at=tx.now,
        along=() if is_stranger else notify.owing_end(tx, event, mine.user_id, mine, decided),
    )
    if save.frees(mine, saved):
        await waitlist.fill(tx, event, await registration.of_event(tx, event))


async def event_changed(
    tx: Transaction, event: Event, kind: NotificationKind, *, by: UserId, before: Event | None = None
) -> None:
    """Tell everybody whom a change of the event concerns, its other hosts among them, and let people move up if it made room.

    ``by``: who did it, and knows. ``before``: the event as it was, so that they read from when to when it was moved.
    """
    about, starts_at = particulars_of(before, event), earlier_start(before, event)
    hosts = [user_id for user_id in await hosts_of(tx, event) if user_id != by]
    await notifications.tell(tx, hosts, kind, event.id, event.revision, about, starts_at=starts_at)
    await crowds.tell_answering(tx, event.id, EventNotice(kind, event.revision, about, by, starts_at))
    await waitlist.fill(tx, event, await registration.of_event(tx, event))


async def seats_changed(tx: Transaction, changed: Sequence[tuple[Event, Event]]) -> None:
    """Locked dates of a series were changed, from this to that: seats that this made free are given."""
    freed = [
        then
        for now, then in changed
        if (now.capacity, now.status, now.is_gone) != (then.capacity, then.status, then.is_gone)
    ]
    await waitlist.fill_several(tx, freed)


async def events_are_back(tx: Transaction, events: Sequence[Event]) -> None:
    """Locked events, as they are now, were gone: answers that were left alone meanwhile are told, and seats that became free are given."""
    await decide_all_records_anew(tx, [event.id for event in events])
    await waitlist.fill_several(tx, events)


async def decide_records_anew(tx: Transaction, event_id: EventId) -> None:
    """The event has a record now, another one or none any more, is for others to see than before, or was deleted.

    What that means for the records of its answers is decided when they are paid.
    """
    await decide_all_records_anew(tx, [event_id])


async def decide_all_records_anew(tx: Transaction, event_ids: Sequence[EventId]) -> None:
    """The same of several events."""
    if event_ids:
        chosen = "select id from attendances where event_id in :event_ids"
        kind = publications.PublicationKind.RSVP
        await publications.look_again_where(tx, kind=kind, chosen=chosen, event_ids=list(event_ids))


async def note_record(
    tx: Transaction, attendance_id: AttendanceId, *, uri: str, about: str | None, is_about: IsAbout
) -> None:
    """The answer's record is at this uri, and about that event's record.

    ``is_about``: see there. Where the event has got another record, or is not everybody's to see any more, since this one was sent, it is owed
    once more.
    """
    mine = await queries.by_id(tx, attendance_id)
    if mine is not None and not await _is_anothers(tx, mine, uri, about, is_about):
        await queries.release_records(tx, {uri})
        await queries.set_record(tx, attendance_id, uri)
    event = None if mine is None else await event_by_id(tx, mine.event_id)
    if event is not None and (
        event.record_uri != about or event.deleted_at is not None or not rules.may_answers_be_public(event)
    ):
        await publications.look_again(tx, kind=publications.PublicationKind.RSVP, subject_ids=[attendance_id])


async def _is_anothers(reader: Reader, mine: Attendance, uri: str, about: str | None, is_about: IsAbout) -> bool:
    """Whether another record of this person's, about the same event's record, is what counts: that one is theirs to take back."""
    if mine.source is not RsvpSource.NETWORK or mine.record_uri is None or mine.record_uri == uri:
        return False
    return await is_about(reader, mine.record_uri, about)


async def forget_record(tx: Transaction, attendance_id: AttendanceId) -> None:
    """The answer has no record any more: it was taken back."""
    await queries.set_record(tx, attendance_id, None)


async def is_member(
    reader: Reader, event: Event, joining: RegistrationSettings, user_id: UserId, *, always: bool = False
) -> bool:
    """Whether somebody is in the event's group; asked only where that matters, or ``always``."""
    if event.group is None or not (joining.is_members_only or always):
        return False
    return await role_in(reader, event.group.id, user_id) in INSIDE


async def _said_before(
    reader: Reader, event: Event, joining: RegistrationSettings, caller: Caller
) -> Attendance | None:
    """What somebody said to another date of the same series beside yes: nobody is asked the same thing every week."""
    if event.place_in_series is None:
        return None
    found = await queries.latest_in_series(reader, event.place_in_series.series_id, caller.user_id)
    if found is None:
        return None
    most = rules.most_together(rules.limits_of(event, joining), found.mode)
    return replace(found, party=min(found.party, joining.max_party, most or found.party))
