"""How a decision about an answer is written: places counted, the row, its history, what is owed. The event's row is locked."""

from collections.abc import Sequence
from dataclasses import replace

from groundwork.clock import Instant
from groundwork.database.together import Write, execute_together
from groundwork.database.transaction import Transaction
from groundwork.errors import Refused
from groundwork.fresh_id import new_id
from openmeet.domain.attendance import history, places, queries, seating, waitlist
from openmeet.domain.attendance.model import AnswerMode, Attendance, AttendanceId, AttendanceStatus, Source, Through
from openmeet.domain.attendance.places import Places
from openmeet.domain.attendance.registration import Joining
from openmeet.domain.attendance.response_details import Said
from openmeet.domain.attendance.rules import Decided
from openmeet.domain.events.model import Event, Mode
from openmeet.domain.users.model import UserId
from openmeet.outbox import publications


async def has_room(
    tx: Transaction,
    event: Event,
    joining: Joining,
    mine: Attendance | None,
    said: Said,
    *,
    known: Places | None = None,
) -> bool:
    """Whether the whole party can sit down now without passing anybody who waits; one's own seats are not in one's way.

    ``known``: the places, where they were read since the event was locked. Offers that have ended are taken back first: their seats are for the first in the line.
    """
    limits = seating.limits_of(event, joining)
    if limits.is_open:
        return True
    now = known or await places.of_event(tx, event.id)
    if now.has_late_offers:
        await waitlist.end_offers(tx, event)
        await waitlist.fill(tx, event, joining)
        now = await places.of_event(tx, event.id)
        # Theirs may be among them: the seat is somebody else's now (invariant 4). Or they are the next, and it is held for them.
        mine = mine and await queries.by_id(tx, mine.id)
    held = now.held
    own = mine is not None and (mine.is_seated or mine.offered_until is not None)
    if mine is not None and own:
        held = held.plus(-mine.party, mine.mode)
        if said.party <= mine.party and said.mode is mine.mode:
            return True
    if not seating.fits(limits, held, said.party, said.mode):
        return False
    lets_past = seating.is_last_call(event, tx.now) or not now.is_waited_for
    return lets_past or seating.passes_nobody(limits, held, await waitlist.first(tx, event.id, limits), said.mode)


def changed(mine: Attendance | None, decided: Decided, said: Said) -> bool:
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
    """Whether the change is a line of the answer's history, of which others hear."""
    return (before.status, before.party, before.mode) != (after.status, after.party, after.mode)


def must_keep_seat(mine: Attendance | None, decided: Decided, said: Said, *, room: bool, now: Instant) -> None:
    """Refused where somebody who has a seat, or for whom one is held, wants more, or another one, than there is."""
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
    now: Instant, event: Event, user_id: UserId, decided: Decided, said: Said, *, source: Source, answered_at: Instant
) -> Attendance:
    """The answer of somebody who had none, and does not wait in a line."""
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
    said: Said,
    *,
    source: Source,
    answered_at: Instant,
    number: int | None = None,
) -> Attendance:
    """An answer as it is to be written. ``number``: its place in the line; what was offered there stays with it."""
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
    said: Said,
    *,
    source: Source,
    through: Through,
    actor_id: UserId | None,
    answered_at: Instant,
    record_uri: str | None = None,
    is_approved: bool = False,
    owes_first: bool = False,
    is_heard: bool = True,
    last_number: int | None = None,
    along: Sequence[Write] = (),
) -> Attendance:
    """Write what was decided. Whoever comes into the line, or asks for more while in it, stands at its end.

    ``record_uri`` is of a first answer; a known one's is set by itself. ``owes_first``: a first answer is owed to the repository.
    ``is_heard`` False: nobody wants messages to an address of theirs. ``last_number``: where the line ends, if that is known.
    ``along``: what is written with it.
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


def as_said(mine: Attendance | None) -> Said:
    """What stands there, for an act that changes the status alone."""
    if mine is None:
        return Said(1, None, (), {}, is_private=False)
    return Said(
        mine.party, mine.mode, mine.guest_names, mine.replies, mine.is_private, mine.skips_record, mine.reply_words
    )


def mode_of_record(event: Event, mine: Attendance | None) -> AnswerMode | None:
    """How somebody takes part of whom a record says that they do: records do not say how."""
    if event.mode is not Mode.HYBRID:
        return None
    return (mine.mode if mine else None) or AnswerMode.IN_PERSON


async def owe(tx: Transaction, saved: Attendance, *, edited_at: Instant | None = None) -> None:
    """The person's repository is owed a look. ``edited_at``: when it was said, where that was not now."""
    await execute_together(tx, [_owing(tx, saved, edited_at)])


def _owing(tx: Transaction, saved: Attendance, edited_at: Instant | None = None) -> Write:
    return publications.owing(
        tx,
        kind=publications.Kind.RSVP,
        subject_id=saved.id,
        user_id=saved.user_id,
        revision=saved.revision,
        edited_at=edited_at,
    )


def frees(before: Attendance | None, after: Attendance) -> bool:
    """Whether somebody who waits may move up after this change: seats were freed, or the line is another one."""
    return before is not None and before.revision != after.revision and would_free(before, after)


def would_free(before: Attendance, after: Attendance) -> bool:
    """The same of a change that is not written yet."""
    held = before.party if before.is_seated or before.offered_until is not None else 0
    holds = after.party if after.is_seated or after.offered_until is not None else 0
    return holds < held or before.mode is not after.mode or before.status is AttendanceStatus.WAITLISTED
