"""RSVPs reevaluated without their person's doing: removed from a group, blocked by a host, signed in for the first
time.
"""

from collections.abc import Sequence
from typing import Final

from groundwork.database.transaction import Reader, Transaction
from groundwork.outbox.jobs import enqueue_selected
from openmeet.domain.attendance import queries, registration, rules, save, waitlist
from openmeet.domain.attendance.actions import is_member
from openmeet.domain.attendance.model import PendingFor, RsvpSource, Through
from openmeet.domain.attendance.rules import Eligibility
from openmeet.domain.attendance.save import LockedEvent
from openmeet.domain.attendance.transitions import AttendanceAction
from openmeet.domain.events import seeing
from openmeet.domain.events.co_host_queries import beside_authors
from openmeet.domain.events.model import Event, EventId, Visibility
from openmeet.domain.events.queries import lock_for_update
from openmeet.domain.users.model import UserId
from openmeet.outbox.kinds import JobKind


async def end(
    tx: Transaction,
    begun: LockedEvent,
    user_id: UserId,
    *,
    through: Through,
    actor_id: UserId | None,
    owes_record: bool,
) -> bool:
    """End an RSVP; whether there was one to end. ``owes_record``: enqueue its public record, so that none says that
    they come.
    """
    event, mine, joining = begun.event, begun.mine, begun.joining
    if mine is None:
        return False
    decided = rules.decide(
        event, joining, mine, AttendanceAction.NETWORK_NOT_GOING, standing=Eligibility(), has_room=False, now=tx.now
    )
    if decided.status is mine.status:
        return False
    saved = await save.put(
        tx,
        event,
        user_id,
        mine,
        decided,
        save.as_said(mine),
        source=RsvpSource.HERE,
        through=through,
        actor_id=actor_id,
        answered_at=tx.now,
    )
    if owes_record:
        await save.enqueue(tx, saved)
    if save.frees(mine, saved):
        await waitlist.fill(tx, event, joining)
    return True


_COMING = """
    select a.event_id from attendances a
      join events e on e.id = a.event_id
      join group_members m on m.group_id = e.group_id and m.user_id = a.user_id
     where a.user_id = :user_id and a.status in ('attending', 'interested', 'pending', 'waitlisted')
       and m.role in ('left', 'banned') and e.deleted_at is null and (e.over_at is null or e.over_at > :now)
     order by a.event_id
"""


# The handler of the job finds out which of these people have answered anything.
_OUT = "select user_id as subject from group_members where group_id = :group_id and role in ('left', 'banned') order by user_id"


async def look_again(tx: Transaction, events: Sequence[Event]) -> None:
    """The visibility of these locked events changed: people who left the group give up their seats at events for
    members.
    """
    private = [one.group.id for one in events if one.group is not None and one.visibility is Visibility.PRIVATE]
    for group_id in sorted(set(private)):
        await look_again_in(tx, group_id)


async def look_again_in(tx: Transaction, group_id: str) -> None:
    """``look_again`` for all events of a group that became visible to members only."""
    await enqueue_selected(tx, JobKind.LEFT_GROUP, _OUT, int(tx.now), group_id=group_id)


async def answered(reader: Reader, user_id: UserId) -> list[EventId]:
    """Upcoming events, of groups that this person left, to which they have an RSVP."""
    rows = await reader.fetch(_COMING, user_id=user_id, now=reader.now)
    return [EventId(row["event_id"]) for row in rows]


async def end_answer(tx: Transaction, event_id: EventId, user_id: UserId) -> bool:
    """End the RSVP if the person no longer sees the event; whether it was ended."""
    begun = await save.of_record(tx, event_id, user_id)
    if begun is None or begun.mine is None or await seeing.may_see(tx, begun.event, user_id, is_invited=True):
        return False
    return await end(tx, begun, user_id, through=Through.GROUP, actor_id=None, owes_record=True)


_COMING_ANSWERS = """
    select a.event_id from attendances a join events e on e.id = a.event_id
     where a.user_id = :user_id and a.status in ('attending', 'interested', 'pending', 'waitlisted', 'invited')
       and e.deleted_at is null and (e.over_at is null or e.over_at > :now)
"""


async def turn_away(
    tx: Transaction, user_id: UserId, *, host: UserId | None = None, actor_id: UserId | None = None
) -> int:
    """End a person's RSVPs to the upcoming events of one host, or of everybody; returns how many. Locks events in id
    order.
    """
    ended = 0
    for event_id in await _coming_answers(tx, user_id, host):
        begun = await save.of_record(tx, event_id, user_id)
        if begun is not None:
            ended += await end(tx, begun, user_id, through=Through.HOST, actor_id=actor_id, owes_record=False)
    return ended


async def _coming_answers(reader: Reader, user_id: UserId, host: UserId | None) -> list[EventId]:
    clause = "" if host is None else "and e.author_id = :host"
    values: dict[str, object] = {} if host is None else {"host": host}
    rows = await reader.fetch(
        f"{_COMING_ANSWERS} {clause} order by a.event_id", user_id=user_id, now=reader.now, **values
    )
    return [EventId(row["event_id"]) for row in rows]


_UNKNOWN: Final = (PendingFor.APART, PendingFor.APPROVAL)

# Upcoming events only; past ones stay as they were.
_WAITING: Final = """
    select a.event_id from attendances a join events e on e.id = a.event_id
     where a.user_id = :user_id and a.status = 'pending' and a.pending_for in ('apart', 'approval')
       and a.source = 'network'
       and (e.over_at is null or e.over_at > :now) order by a.event_id
"""


async def welcome(tx: Transaction, user_id: UserId) -> int:
    """Reevaluate the foreign and pending RSVPs of a person who is now known; returns how many changed.

    Each gets a place, the end of the waitlist, or waits for approval.
    """
    changed = 0
    for row in await tx.fetch(_WAITING, user_id=user_id, now=tx.now):
        event = await lock_for_update(tx, row["event_id"])
        mine = await queries.find(tx, row["event_id"], user_id)
        if event is None or event.is_gone or mine is None or mine.pending_for not in _UNKNOWN:
            continue
        joining = await registration.of_event(tx, event)
        standing = Eligibility(
            is_host=user_id in {event.author_id, *(await beside_authors(tx, [event.id])).get(event.id, [])},
            is_member=await is_member(tx, event, joining, user_id, always=True),
        )
        said = save.as_said(mine)
        room = await save.has_room(tx, event, joining, mine, said)
        decided = rules.decide(
            event, joining, None, AttendanceAction.NETWORK_GOING, standing=standing, has_room=room, now=tx.now
        )
        if (decided.status, decided.pending_for) == (mine.status, mine.pending_for):
            continue
        await save.put(
            tx,
            event,
            user_id,
            mine,
            decided,
            said,
            source=RsvpSource.NETWORK,
            through=Through.NETWORK,
            actor_id=user_id,
            answered_at=mine.answered_at,
        )
        changed += 1
    return changed
