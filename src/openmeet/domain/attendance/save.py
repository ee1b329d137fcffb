"""Lock an event for an RSVP, count seats, and save the decision: the row, its history, its outbox job. Callers hold the
lock.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from groundwork.clock import Instant
from groundwork.database.row_lock import hold
from groundwork.database.together import SqlWrite, execute_together
from groundwork.database.transaction import Row, Transaction
from groundwork.errors import Refused
from groundwork.uuid7 import new_id
from openmeet.domain.attendance import history, queries, registration, rules, waitlist
from openmeet.domain.attendance.model import AnswerMode, Attendance, AttendanceId, AttendanceStatus, RsvpSource, Through
from openmeet.domain.attendance.queries import HOLDS
from openmeet.domain.attendance.registration import DEFAULT, RegistrationSettings
from openmeet.domain.attendance.response_details import ResponseDetails
from openmeet.domain.attendance.rules import Decided, SeatsTaken
from openmeet.domain.events.model import Event, EventId, EventSlug, Mode
from openmeet.domain.events.queries import columns_of, event_of
from openmeet.domain.moderation.blocks import is_unwelcome
from openmeet.domain.users.model import UserId
from openmeet.domain.webhooks.queries import IS_ANY_ON
from openmeet.outbox import publications

COLUMNS = "seats.unsaid, seats.in_person, seats.online, seats.is_late, seats.is_waited_for, seats.last_number"

_BY_MODE = {"unsaid": "mode is null", "in_person": "mode = 'in_person'", "online": "mode = 'online'"}


def joined(event_id: str) -> str:
    """SQL for a one-row table ``seats`` of the event that this expression names; parameter ``now``."""
    held = ", ".join(
        f"cast(coalesce(sum(case when {which} then party end), 0) as bigint) as {name}"
        for name, which in _BY_MODE.items()
    )
    return f"""(
        select {held},
               case when exists (select 1 from attendances where event_id = {event_id} and offered_until <= :now)
                    then 1 else 0 end as is_late,
               case when exists (select 1 from attendances
                                  where event_id = {event_id} and status = 'waitlisted' and offered_until is null)
                    then 1 else 0 end as is_waited_for,
               (select coalesce(max(waitlist_number), 0) from attendances where event_id = {event_id}) as last_number
          from attendances where event_id = {event_id} and {HOLDS}) seats"""


_NOW = f"select {COLUMNS} from {joined(':event_id')}"


@dataclass(frozen=True, slots=True)
class Capacity:
    """What decides whether there is room. ``has_late_offers``: some expired unanswered; ``is_waited_for``: there is a
    waitlist, which ends at ``last_number``.
    """

    held: SeatsTaken
    has_late_offers: bool
    is_waited_for: bool
    last_number: int


async def of_event(tx: Transaction, event_id: EventId) -> Capacity:
    """Capacity as of now, for a decision."""
    return places_of((await tx.fetch(_NOW, event_id=event_id, now=tx.now))[0])


def places_of(row: Row) -> Capacity:
    """Parse a row that has ``COLUMNS``."""
    held = {None: row["unsaid"], AnswerMode.IN_PERSON: row["in_person"], AnswerMode.ONLINE: row["online"]}
    return Capacity(
        SeatsTaken({mode: taken for mode, taken in held.items() if taken}),
        bool(row["is_late"]),
        bool(row["is_waited_for"]),
        row["last_number"],
    )


_OWN = [name.strip() for name in queries.COLUMNS.split(",")]
_SETTINGS = [name.strip() for name in registration.COLUMNS.split(",")]

# Where nothing is limited nobody counts seats, of which there may be very many. Named four times, looked up once.
_LIMITED = """
    with limited as materialized (
        select l.id from events l
         where l.{column} = :event
           and (l.capacity is not null
                or exists (select 1 from joining_settings s
                            where s.subject_id in (l.id, l.series_id)
                              and (s.limit_in_person is not null or s.limit_online is not null))))"""


def _beginning(column: str) -> str:
    # Settings of an event precede those of its series. One row per co-host, or one row without any.
    return f"""{_LIMITED.format(column=column)}
    select {columns_of("e")},
           {", ".join(f"a.{name} as own_{name}" for name in _OWN)},
           {", ".join(f"j.{name} as settings_{name}" for name in _SETTINGS)},
           {COLUMNS},
           case when {IS_ANY_ON} then 1 else 0 end as is_heard, h.user_id as beside_id,
           case when {is_unwelcome("e.author_id", "u.id")} then 1 else 0 end as is_unwelcome
      from events e left join users u on u.id = :user_id
      left join attendances a on a.event_id = e.id and a.user_id = :user_id
      left join joining_settings j on j.subject_id =
                case when exists (select 1 from joining_settings o where o.subject_id = e.id) then e.id else e.series_id end
      left join {joined("(select id from limited)")} on 1 = 1
      left join event_hosts h on h.event_id = e.id and h.state = 'accepted'
     where e.{column} = :event order by h.user_id
"""


_BEGINNINGS = {column: _beginning(column) for column in ("slug", "id")}


@dataclass(frozen=True, slots=True)
class LockedEvent:
    """A locked event with the person's RSVP so far, the settings that apply, capacity (zeros where nothing is limited),
    whether anybody asked for messages to an address of theirs, and all hosts.

    ``is_unwelcome``: as in ``moderation.blocks``.
    """

    event: Event
    mine: Attendance | None
    joining: RegistrationSettings
    places: Capacity
    is_heard: bool
    hosts: tuple[UserId, ...]
    is_unwelcome: bool


async def of_answer(tx: Transaction, slug: EventSlug, user_id: UserId) -> LockedEvent | None:
    """Lock an event for an RSVP of this person; None where there is no such event."""
    return await _of(tx, "slug", slug, user_id)


async def of_record(tx: Transaction, event_id: EventId, user_id: UserId) -> LockedEvent | None:
    """The same for an RSVP record of theirs."""
    return await _of(tx, "id", event_id, user_id)


async def _of(tx: Transaction, column: str, name: str, user_id: UserId) -> LockedEvent | None:
    await hold(tx, "events", column, name)
    # A statement of its own: what it joins is read after the lock is held.
    rows = await tx.fetch(_BEGINNINGS[column], event=name, user_id=user_id, now=tx.now)
    if not rows:
        return None
    row = rows[0]
    event = event_of(row)
    own = {name: row[f"own_{name}"] for name in _OWN}
    settings = {name: row[f"settings_{name}"] for name in _SETTINGS}
    return LockedEvent(
        event,
        queries.attendance_of(own) if own["id"] is not None else None,
        registration.joining_of(settings) if settings["subject_id"] is not None else DEFAULT,
        places_of(row),
        bool(row["is_heard"]),
        (event.author_id, *(UserId(one["beside_id"]) for one in rows if one["beside_id"] is not None)),
        bool(row["is_unwelcome"]),
    )


async def has_room(
    tx: Transaction,
    event: Event,
    joining: RegistrationSettings,
    mine: Attendance | None,
    said: ResponseDetails,
    *,
    known: Capacity | None = None,
) -> bool:
    """Whether the whole party fits now without passing the waitlist; the person's own seats count as free.

    ``known``: capacity, if read since the event was locked. Expires late offers first: their seats are for the first on
    the waitlist.
    """
    limits = rules.limits_of(event, joining)
    if limits.is_open:
        return True
    now = known or await of_event(tx, event.id)
    if now.has_late_offers:
        await waitlist.end_offers(tx, event)
        await waitlist.fill(tx, event, joining)
        now = await of_event(tx, event.id)
        # Their own offer may be among the expired: the seat is somebody else's now (invariant 4). Or they are next and
        # it is held for them.
        mine = mine and await queries.by_id(tx, mine.id)
    held = now.held
    own = mine is not None and (mine.is_seated or mine.offered_until is not None)
    if mine is not None and own:
        held = held.plus(-mine.party, mine.mode)
        if said.party <= mine.party and said.mode is mine.mode:
            return True
    if not rules.fits(limits, held, said.party, said.mode):
        return False
    lets_past = rules.is_last_call(event, tx.now) or not now.is_waited_for
    return lets_past or rules.passes_nobody(limits, held, await waitlist.first(tx, event.id, limits), said.mode)


def changed(mine: Attendance | None, decided: Decided, said: ResponseDetails) -> bool:
    """Whether there is anything to write."""
    return mine is None or (
        mine.status,
        mine.pending_for,
        mine.party,
        mine.mode,
        mine.guest_names,
        dict(mine.replies),
        dict(mine.reply_words),
        mine.is_private,
        mine.skips_record,
    ) != (
        decided.status,
        decided.pending_for,
        said.party,
        said.mode,
        said.guest_names,
        dict(said.replies),
        dict(said.reply_words),
        said.is_private,
        said.skips_record,
    )


def is_history(before: Attendance, after: Attendance) -> bool:
    """Whether the change belongs in the RSVP's history, of which others are notified."""
    return (before.status, before.party, before.mode) != (after.status, after.party, after.mode)


def must_keep_seat(
    mine: Attendance | None, decided: Decided, said: ResponseDetails, *, room: bool, now: Instant
) -> None:
    """Raise Refused where somebody with a seat or an offer wants more seats, or another mode, than is free."""
    if mine is None or room or (said.party <= mine.party and said.mode is mine.mode):
        return
    if decided.status == mine.status == AttendanceStatus.ATTENDING:
        words = "You keep the place that you have."
    elif decided.status is AttendanceStatus.WAITLISTED and mine.has_offer(now):
        words = "What was offered to you is still held for you."
    else:
        return
    raise Refused(f"There are not enough free places for that. {words}", name="NotEnoughPlaces")


def first_answer(
    now: Instant,
    event: Event,
    user_id: UserId,
    decided: Decided,
    said: ResponseDetails,
    *,
    source: RsvpSource,
    answered_at: Instant,
) -> Attendance:
    """A first RSVP that does not join the waitlist."""
    return Attendance(
        id=AttendanceId(new_id(now)),
        event_id=event.id,
        user_id=user_id,
        status=decided.status,
        waitlist_number=None,
        source=source,
        revision=1,
        record_uri=None,
        created_at=now,
        answered_at=answered_at,
        party=said.party,
        mode=said.mode,
        pending_for=decided.pending_for,
        is_private=said.is_private,
        skips_record=said.skips_record,
        guest_names=said.guest_names,
        replies=said.replies,
        reply_words=said.reply_words,
    )


def decided_anew(
    known: Attendance,
    decided: Decided,
    said: ResponseDetails,
    *,
    source: RsvpSource,
    answered_at: Instant,
    number: int | None = None,
) -> Attendance:
    """An RSVP as it is to be saved. ``number``: waitlist number; an offer made there stays with it."""
    return replace(
        known,
        status=decided.status,
        waitlist_number=number,
        source=source,
        answered_at=answered_at,
        party=said.party,
        mode=said.mode,
        offered_until=known.offered_until if number is not None and number == known.waitlist_number else None,
        pending_for=decided.pending_for,
        is_private=said.is_private,
        skips_record=said.skips_record,
        guest_names=said.guest_names,
        replies=said.replies,
        reply_words=said.reply_words,
    )


async def put(
    tx: Transaction,
    event: Event,
    user_id: UserId,
    mine: Attendance | None,
    decided: Decided,
    said: ResponseDetails,
    *,
    source: RsvpSource,
    through: Through,
    actor_id: UserId | None,
    answered_at: Instant,
    record_uri: str | None = None,
    is_approved: bool = False,
    owes_first: bool = False,
    is_heard: bool = True,
    last_number: int | None = None,
    along: Sequence[SqlWrite] = (),
) -> Attendance:
    """Save a decision. New on the waitlist, or asking for more while on it, goes to its end.

    ``record_uri`` is of a first RSVP; that of a known one is set separately. ``owes_first``: enqueue the record of a
    first RSVP. ``is_heard`` False: nobody wants messages to an address of theirs. ``last_number``: the end of the
    waitlist, if known. ``along``: written together with it.
    """
    number = None
    if decided.status is AttendanceStatus.WAITLISTED:
        keeps = mine is not None and mine.waitlist_number is not None
        if mine is not None and keeps and said.party <= mine.party and said.mode is mine.mode:
            number = mine.waitlist_number
        else:
            number = (last_number or await waitlist.last_number(tx, event.id)) + 1
    known = mine or first_answer(tx.now, event, user_id, decided, said, source=source, answered_at=answered_at)
    after = replace(
        decided_anew(known, decided, said, source=source, answered_at=answered_at, number=number),
        record_uri=record_uri,
        approved_at=known.approved_at if known.approved_at is not None or not is_approved else tx.now,
    )
    if mine is None:
        first = [queries.inserting(after), *([_owing(tx, after)] if owes_first else []), *along]
        await history.keep(tx, event, None, after, through=through, actor_id=actor_id, along=first, is_heard=is_heard)
        return after
    saved = await queries.save(tx, after)
    if is_history(mine, saved):
        await history.keep(tx, event, mine, saved, through=through, actor_id=actor_id, along=along, is_heard=is_heard)
    else:
        await execute_together(tx, along)
    return saved


def as_said(mine: Attendance | None) -> ResponseDetails:
    """The stored details, for an action that changes only the status."""
    if mine is None:
        return ResponseDetails(1, None, (), {}, is_private=False)
    return ResponseDetails(
        mine.party, mine.mode, mine.guest_names, mine.replies, mine.is_private, mine.skips_record, mine.reply_words
    )


def mode_of_record(event: Event, mine: Attendance | None) -> AnswerMode | None:
    """Mode of an RSVP that comes from a record: records do not have one."""
    if event.mode is not Mode.HYBRID:
        return None
    return (mine.mode if mine else None) or AnswerMode.IN_PERSON


async def enqueue(tx: Transaction, saved: Attendance, *, edited_at: Instant | None = None) -> None:
    """Enqueue the RSVP record of a person. ``edited_at``: time of the reply, if not now."""
    await execute_together(tx, [_owing(tx, saved, edited_at)])


def _owing(tx: Transaction, saved: Attendance, edited_at: Instant | None = None) -> SqlWrite:
    return publications.owing(
        tx,
        kind=publications.PublicationKind.RSVP,
        subject_id=saved.id,
        user_id=saved.user_id,
        revision=saved.revision,
        edited_at=edited_at,
    )


def frees(before: Attendance | None, after: Attendance) -> bool:
    """Whether the waitlist may move after this change: seats were freed, or its order changed."""
    return before is not None and before.revision != after.revision and would_free(before, after)


def would_free(before: Attendance, after: Attendance) -> bool:
    """The same of a change that is not saved yet."""
    held = before.party if before.is_seated or before.offered_until is not None else 0
    holds = after.party if after.is_seated or after.offered_until is not None else 0
    return holds < held or before.mode is not after.mode or before.status is AttendanceStatus.WAITLISTED
