"""The line: who waits, who is offered a seat, what becomes of offers. Every writing function here holds the event's lock."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from groundwork.database.transaction import Reader, Transaction
from groundwork.outbox.jobs import enqueue, enqueue_many
from openmeet.domain.attendance import history, queries, registration, rules
from openmeet.domain.attendance.model import AnswerMode, Attendance, AttendanceStatus, Through
from openmeet.domain.attendance.registration import RegistrationSettings
from openmeet.domain.attendance.rules import SeatLimits, SeatsTaken
from openmeet.domain.attendance.transitions import TABLE, AttendanceAction
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.notifications import notify as notifications
from openmeet.domain.notifications.model import NotificationKind
from openmeet.domain.users.model import UserId
from openmeet.outbox import publications
from openmeet.outbox.kinds import JobKind

# More than any line is long; bounds what one transaction does.
MAX_AT_ONCE = 10_000

# How many people of a line one transaction takes care of; how far back somebody is looked for who may pass bigger parties.
LOOKED_AT = 500

# Events whose lines one act looks at by itself, the earliest.
_EVENTS_AT_ONCE = 5

_MODE = "coalesce(mode, 'in_person')"


async def fill(tx: Transaction, event: Event, joining: RegistrationSettings) -> int:
    """Give free seats to those who wait, in their order; how many moved. Whom one transaction does not reach is reached by a debt.

    Where seats are few they are offered, and held until the offer ends; who cannot be asked (known only by a DID) has them at
    once, and so has everybody where there is no limit any more. Nobody moves up on an event that will not happen.
    """
    if event.is_cancelled or event.is_gone or event.is_over(tx.now):
        return 0
    limits = rules.limits_of(event, joining)
    if limits.is_open:
        line = await waiting(tx, event.id, LOOKED_AT, with_offered=True)
        await _seat(tx, event, line)
        return await _and_others(tx, event, len(line))
    held = await queries.held(tx, event.id)
    if rules.are_exceeded(limits, held):
        await _take_back(tx, event, limits, held)
        return 0
    if limits.total is not None and held.total >= limits.total:
        return 0
    lines = await _lines(tx, event.id, limits, LOOKED_AT)
    chosen = rules.next_up(limits, held, rules.first_of(lines), lets_past=rules.is_last_call(event, tx.now))
    if not chosen:
        return 0
    silent = await queries.without_ears(tx, [one.user_id for one in chosen])
    await _seat(tx, event, [one for one in chosen if one.user_id in silent])
    await _offer(tx, event, [one for one in chosen if one.user_id not in silent])
    return await _and_others(tx, event, len(chosen))


async def fill_several(tx: Transaction, events: Sequence[Event]) -> None:
    """``fill`` for several locked events: for a few at once, for the others by a debt each; where nobody waits it costs nothing."""
    with_lines = await waited_for(tx, [event.id for event in events])
    waited = sorted((one for one in events if one.id in with_lines), key=lambda one: (one.starts_at or 0, one.id))
    settings = await registration.of_events(tx, waited[:_EVENTS_AT_ONCE])
    for event in waited[:_EVENTS_AT_ONCE]:
        await fill(tx, event, settings[event.id])
    later = [(event.id, int(tx.now), tx.now) for event in waited[_EVENTS_AT_ONCE:]]
    await enqueue_many(tx, JobKind.FREED_SEATS, later)


async def waited_for(reader: Reader, event_ids: Collection[EventId]) -> set[EventId]:
    """Those of these events for which somebody waits, be it that a seat is held for them."""
    if not event_ids:
        return set()
    rows = await reader.fetch(
        "select distinct event_id from attendances where event_id in :ids and status = 'waitlisted' order by event_id",
        ids=sorted(event_ids),
    )
    return {EventId(row["event_id"]) for row in rows}


async def _and_others(tx: Transaction, event: Event, moved: int) -> int:
    """Whoever stands behind the last one looked at may fit as well."""
    if moved >= LOOKED_AT:
        await enqueue(tx, JobKind.FREED_SEATS, event.id, int(tx.now))
    return moved


async def end_offers(tx: Transaction, event: Event) -> int:
    """Offers that nobody took in time end: their people leave the line, unheard; how many. ``fill`` comes next.

    While the event is cancelled nobody can take one: they wait again where they stood.
    """
    rows = await tx.fetch(
        f"select {queries.COLUMNS} from attendances where event_id = :event_id and offered_until <= :now order by id",
        event_id=event.id,
        now=tx.now,
    )
    late = [queries.attendance_of(row) for row in rows]
    if late:
        ended = [replace(one, offered_until=None) for one in late]
        if not event.is_cancelled:
            status = AttendanceStatus(TABLE[AttendanceAction.LAPSE][AttendanceStatus.WAITLISTED])
            ended = [replace(one, status=status, waitlist_number=None) for one in ended]
        await queries.save_many(tx, ended)
        await history.keep_many(tx, late, ended, through=Through.CLOCK)
    return len(late)


async def ended_offers(reader: Reader) -> list[EventId]:
    """Events with offers that have ended."""
    rows = await reader.fetch(
        "select distinct event_id from attendances where offered_until <= :now order by event_id", now=reader.now
    )
    return [EventId(row["event_id"]) for row in rows]


async def dates_with_lines(reader: Reader, series_id: str) -> list[EventId]:
    """Coming dates of a series for which somebody waits."""
    rows = await reader.fetch(
        "select e.id from events e where e.series_id = :series_id and e.deleted_at is null and e.over_at > :now"
        " and exists (select 1 from attendances a where a.event_id = e.id and a.status = 'waitlisted') order by e.id",
        series_id=series_id,
        now=reader.now,
    )
    return [EventId(row["id"]) for row in rows]


async def first(reader: Reader, event_id: EventId, limits: SeatLimits) -> list[Attendance]:
    """Who is next, of each way of taking part that has a line of its own."""
    return rules.first_of(await _lines(reader, event_id, limits, 1))


async def would_wait(reader: Reader, event: Event, joining: RegistrationSettings) -> bool:
    """Whether somebody who comes alone now gets no seat in any way, but a place in the line."""
    limits = rules.limits_of(event, joining)
    if limits.is_open:
        return False
    held, modes = await queries.held(reader, event.id), AnswerMode if limits.of_mode else (None,)
    free = [mode for mode in modes if rules.fits(limits, held, 1, mode)]
    if not free or rules.is_last_call(event, reader.now):
        return not free
    next_ones = await first(reader, event.id, limits)
    return not any(rules.passes_nobody(limits, held, next_ones, mode) for mode in free)


async def _lines(reader: Reader, event_id: EventId, limits: SeatLimits, limit: int) -> list[list[Attendance]]:
    """The lines without parties that will never fit: they are passed."""
    modes = AnswerMode if limits.of_mode else (None,)
    return [
        await waiting(reader, event_id, limit, mode, party_up_to=rules.most_together(limits, mode)) for mode in modes
    ]


async def waiting(
    reader: Reader,
    event_id: EventId,
    limit: int,
    mode: AnswerMode | None = None,
    *,
    with_offered: bool = False,
    party_up_to: int | None = None,
) -> list[Attendance]:
    """The line, first come first; of one way of taking part, or of all. Who was offered a seat is not in it any more."""
    rows = await reader.fetch(
        f"""
        select {queries.COLUMNS} from attendances
         where event_id = :event_id and status = 'waitlisted'
           {"" if with_offered else "and offered_until is null"} {f"and {_MODE} = :mode" if mode else ""}
           {"" if party_up_to is None else "and party <= :most"}
         order by waitlist_number limit :limit
        """,
        event_id=event_id,
        limit=limit,
        **({"mode": mode.value} if mode else {}),
        **({} if party_up_to is None else {"most": party_up_to}),
    )
    return [queries.attendance_of(row) for row in rows]


async def before(reader: Reader, mine: Attendance) -> int:
    """How many people are in the line before this one; 0 for who does not wait."""
    if mine.waitlist_number is None:
        return 0
    row = await reader.fetch_one(
        """
        select cast(coalesce(sum(party), 0) as bigint) as people from attendances
         where event_id = :event_id and status = 'waitlisted' and offered_until is null and waitlist_number < :number
        """,
        event_id=mine.event_id,
        number=mine.waitlist_number,
    )
    return int(row["people"]) if row else 0


async def last_number(reader: Reader, event_id: EventId) -> int:
    """The end of the line. The event's row is locked, so nobody else takes the next number."""
    return await _number(reader, event_id, "max")


async def first_number(reader: Reader, event_id: EventId) -> int:
    """The head of the line."""
    return await _number(reader, event_id, "min")


async def _number(reader: Reader, event_id: EventId, which: str) -> int:
    row = await reader.fetch_one(
        f"select coalesce({which}(waitlist_number), 0) as number from attendances where event_id = :event_id",
        event_id=event_id,
    )
    return int(row["number"]) if row else 0


async def _seat(tx: Transaction, event: Event, line: Sequence[Attendance]) -> None:
    """These have their seats, and hear of it."""
    if not line:
        return
    status = AttendanceStatus(TABLE[AttendanceAction.MOVE_UP][AttendanceStatus.WAITLISTED])
    seated = [replace(one, status=status, waitlist_number=None, offered_until=None) for one in line]
    await queries.save_many(tx, seated)
    await history.keep_many(tx, line, seated, through=Through.CLOCK)
    owed = [(one.id, one.user_id, one.revision + 1) for one in seated]
    await publications.enqueue_many(tx, kind=publications.PublicationKind.RSVP, owed=owed)
    await _tell(tx, event, seated, NotificationKind.MOVED_UP)


async def _offer(tx: Transaction, event: Event, line: Sequence[Attendance]) -> None:
    """Seats are held for these until they say yes, or too long nothing."""
    if not line:
        return
    until = rules.offer_until(event, tx.now)
    offered = [replace(one, offered_until=until) for one in line]
    await queries.save_many(tx, offered)
    await history.keep_many(tx, line, offered, through=Through.CLOCK)
    await _tell(tx, event, offered, NotificationKind.SEAT_OFFERED)


async def _take_back(tx: Transaction, event: Event, limits: SeatLimits, held: SeatsTaken) -> None:
    """There are fewer places than before: who was offered one that is none any more waits again, where they stood, and hears of it."""
    rows = await tx.fetch(
        f"select {queries.COLUMNS} from attendances where event_id = :event_id and offered_until is not null"
        " order by waitlist_number desc",
        event_id=event.id,
    )
    before = []
    for one in (queries.attendance_of(row) for row in rows):
        fewer = held.plus(-one.party, one.mode)
        if not rules.are_exceeded(limits, held):
            break
        before.append(one)
        held = fewer
    if before:
        after = [replace(one, offered_until=None) for one in before]
        await queries.save_many(tx, after)
        await history.keep_many(tx, before, after, through=Through.HOST)
        await _tell(tx, event, after, NotificationKind.SEAT_WITHDRAWN)


async def _tell(tx: Transaction, event: Event, people: Sequence[Attendance], kind: NotificationKind) -> None:
    """One news per person and occasion: several offers to one person are several."""
    by_revision: dict[int, list[UserId]] = {}
    for one in people:
        by_revision.setdefault(one.revision + 1, []).append(one.user_id)
    for revision, to in by_revision.items():
        await notifications.tell(tx, to, kind, event.id, revision, starts_at=event.starts_at)
