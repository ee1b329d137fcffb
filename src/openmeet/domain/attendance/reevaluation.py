"""Reevaluate RSVPs without a new reply: a person left a group or was banned from it, was blocked by a host, signed in for
the first time, or can no longer sign in.
"""

from collections.abc import Sequence
from typing import Final

from groundwork.database.transaction import Reader, Transaction, TransactionConflict
from groundwork.outbox.jobs import enqueue_again
from openmeet.domain.attendance import history, locked_event, rsvp_changes, rules, waitlist
from openmeet.domain.attendance.actions import relationship_of_record_author
from openmeet.domain.attendance.locked_event import LockedEvent
from openmeet.domain.attendance.model import Attendance, AttendanceStatus, ChangeChannel, PendingFor, RsvpSource
from openmeet.domain.attendance.rsvp_changes import RsvpChange
from openmeet.domain.attendance.rules import EventRelationship
from openmeet.domain.attendance.transitions import AttendanceAction
from openmeet.domain.events import event_access
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.events.values import Visibility
from openmeet.domain.events.visibility import is_not_over
from openmeet.domain.groups.model import FORMER_ROLES, GroupRole, roles_sql
from openmeet.domain.groups.queries import role_in
from openmeet.domain.users.model import UserId
from openmeet.domain.users.queries import by_id as user_by_id
from openmeet.outbox import bulk_changes
from openmeet.outbox.bulk_changes import BulkChange
from openmeet.outbox.kinds import JobKind


async def end_rsvp(
    tx: Transaction,
    locked: LockedEvent,
    user_id: UserId,
    *,
    through: ChangeChannel,
    actor_id: UserId | None,
    publishes: bool,
) -> bool:
    """Set an RSVP to "not going" and return whether that changed it. With ``publishes``, also enqueue its record, so
    that no record still says that they are going. An invitation without any reply stays as it is.

    No e-mail is sent about it, not even one that ends a calendar entry: nobody is told that they were blocked or banned,
    and somebody who left a private group may no longer learn anything about its events. Calendars subscribed to on this
    site no longer have the event.
    """
    event, event_registration, rsvp = locked.event, locked.event_registration, locked.rsvp
    if rsvp is None:
        return False
    if rsvp.status is AttendanceStatus.INVITED and not await history.has_reply(tx, rsvp.id):
        # It holds no place, and a change would tell the hosts whose address they invited.
        return False
    decision = rules.decide(
        event_registration,
        rsvp,
        AttendanceAction.SHUT_OUT,
        relationship=EventRelationship(),
        has_room=False,
        asked_at=tx.now,
    )
    if decision.status is rsvp.status:
        return False
    saved = await rsvp_changes.save_decision(
        tx,
        RsvpChange(
            event,
            user_id,
            rsvp,
            decision,
            rsvp_changes.details_of(rsvp),
            source=RsvpSource.HERE,
            through=through,
            actor_id=actor_id,
            answered_at=tx.now,
        ),
        enqueues_record=publishes,
    )
    if rsvp_changes.may_move_waitlist(rsvp, saved):
        await waitlist.fill_seats(tx, event_registration)
    return True


_EVENTS_OF_FORMER_GROUPS = f"""
    select a.event_id from attendances a
      join events e on e.id = a.event_id
      join group_members m on m.group_id = e.group_id and m.user_id = a.user_id
     where a.user_id = :user_id
       and (a.status in ('attending', 'interested', 'pending', 'waitlisted') and m.role in ({roles_sql(FORMER_ROLES)})
            or a.status = 'invited' and m.role = '{GroupRole.BANNED}')
       and e.deleted_at is null and {is_not_over("e")} and a.event_id > :after
     order by a.event_id limit :limit
"""


async def _enqueue_left_group(tx: Transaction, user_ids: Sequence[str]) -> None:
    await enqueue_again(tx, JobKind.LEFT_GROUP, user_ids)


# The handler of the job determines which of these people have RSVPs.
FORMER_MEMBERS_OF_GROUP: Final = BulkChange(
    "former_members_of_group",
    f"select user_id as id, user_id as key from group_members where group_id {{owner}} "
    f"and role in ({roles_sql(FORMER_ROLES)})",
    _enqueue_left_group,
)


async def enqueue_former_members(tx: Transaction, events: Sequence[Event]) -> None:
    """Enqueue the people who left the groups of these events, because only members can see some of the events now. Their
    RSVPs are then reevaluated. The events are locked.
    """
    private_group_ids = [
        one.group.id for one in events if one.group is not None and one.visibility is Visibility.PRIVATE
    ]
    for group_id in sorted(set(private_group_ids)):
        await enqueue_former_members_of_group(tx, group_id)


async def enqueue_former_members_of_group(tx: Transaction, group_id: str) -> None:
    """``enqueue_former_members`` for all events of a group that are now visible to members only."""
    await bulk_changes.apply(tx, FORMER_MEMBERS_OF_GROUP, [group_id])


async def events_of_former_groups(reader: Reader, after: str, limit: int, *, user_id: UserId) -> list[EventId]:
    """The upcoming events of groups that this person has left or was banned from, to which they have an open RSVP. In id
    order, starting after ``after``.
    """
    rows = await reader.fetch(_EVENTS_OF_FORMER_GROUPS, user_id=user_id, now=reader.now, after=after, limit=limit)
    return [EventId(row["event_id"]) for row in rows]


async def end_rsvp_of_former_member(tx: Transaction, event_id: EventId, user_id: UserId) -> bool:
    """End the RSVP if the person can no longer see the event, or if its group has banned them and they do not host it.
    Return whether it was ended.

    If they can see the event, their record stays as it is: nothing is said in their name.
    """
    locked = await locked_event.lock_by_id(tx, event_id, user_id)
    if locked is None or locked.rsvp is None:
        return False
    event = locked.event
    is_hidden = not await event_access.may_see(tx, event, user_id, has_rsvp_access=True)
    is_banned = event.group is not None and await role_in(tx, event.group.id, user_id) is GroupRole.BANNED
    if not is_hidden and (not is_banned or event.author_id == user_id):
        return False
    return await end_rsvp(tx, locked, user_id, through=ChangeChannel.GROUP, actor_id=None, publishes=is_hidden)


async def end_rsvp_of_departed(tx: Transaction, event_id: EventId, user_id: UserId) -> None:
    """End the RSVP of a person as whom nobody can sign in any more, so that others get the place."""
    locked = await locked_event.lock_by_id(tx, event_id, user_id)
    if locked is not None:
        await end_rsvp(tx, locked, user_id, through=ChangeChannel.NETWORK, actor_id=None, publishes=False)


# Open: the person has not declined, been rejected or checked in, and the event is not over.
_HAS_OPEN_RSVP: Final = f"""
    a.status in ('attending', 'interested', 'pending', 'waitlisted', 'invited')
    and e.deleted_at is null and {is_not_over("e")}
"""
_UPCOMING_EVENTS = f"""
    select a.event_id from attendances a join events e on e.id = a.event_id
     where a.user_id = :user_id and {_HAS_OPEN_RSVP}
"""


def has_rsvp_to_sql(host: str, person: str) -> str:
    """SQL condition: this person has an open RSVP to an event of this host. Needs the parameter ``now``."""
    return (
        "exists (select 1 from attendances a join events e on e.id = a.event_id"
        f" where a.user_id = {person} and e.author_id = {host} and {_HAS_OPEN_RSVP})"
    )


# RSVPs that a block ends in one transaction. Each takes a dozen statements.
ENDED_AT_ONCE: Final = 25


async def end_rsvps_to_host(
    tx: Transaction, user_id: UserId, host: UserId, *, after: EventId | None = None
) -> EventId | None:
    """End a person's next RSVPs, at most ``ENDED_AT_ONCE``, to the upcoming events of a host who blocks them. Locks
    events in id order, starting after ``after``. Return the last one if there may be more, otherwise None.
    """
    event_ids = await upcoming_events(tx, user_id, host=host, after=after, limit=ENDED_AT_ONCE)
    for event_id in event_ids:
        locked = await locked_event.lock_by_id(tx, event_id, user_id)
        if locked is not None:
            await end_rsvp(tx, locked, user_id, through=ChangeChannel.HOST, actor_id=host, publishes=False)
    return event_ids[-1] if len(event_ids) == ENDED_AT_ONCE else None


async def end_rsvp_of_unwelcome(tx: Transaction, event_id: EventId, user_id: UserId) -> None:
    """End the RSVP of a person whom a moderator has blocked, unless they have been unblocked since."""
    locked = await locked_event.lock_by_id(tx, event_id, user_id)
    if locked is not None and locked.is_unwelcome:
        await end_rsvp(tx, locked, user_id, through=ChangeChannel.HOST, actor_id=None, publishes=False)


_BLOCKED_PEOPLE: Final = f"""
    select count(distinct a.user_id) as number from attendances a
      join events e on e.id = a.event_id
      join user_blocks k on k.user_id = :host and k.blocked_id = a.user_id
     where (e.id = :subject or e.series_id = :subject)
       and a.status in ('attending', 'interested', 'pending', 'waitlisted')
       and e.deleted_at is null and {is_not_over("e")}
"""


async def count_blocked_people(reader: Reader, subject: str, host: UserId) -> int:
    """How many people this host has blocked among those who answered an event or the upcoming dates of a series. Their
    RSVPs end if the host takes it over.
    """
    row = await reader.fetch_one(_BLOCKED_PEOPLE, subject=subject, host=host, now=reader.now)
    return 0 if row is None else int(row["number"])


async def upcoming_events(
    reader: Reader,
    user_id: UserId,
    *,
    host: UserId | None = None,
    after: EventId | None = None,
    limit: int | None = None,
) -> list[EventId]:
    """The upcoming events of one host, or of all hosts, to which this person has an open RSVP. In id order, starting after
    ``after``.
    """
    clause = "" if host is None else "and e.author_id = :host"
    values: dict[str, object] = {} if host is None else {"host": host}
    if limit is not None:
        values["limit"] = limit
    rows = await reader.fetch(
        f"{_UPCOMING_EVENTS} {clause} and a.event_id > :after order by a.event_id "
        f"{'' if limit is None else 'limit :limit'}",
        user_id=user_id,
        now=reader.now,
        after=after or "",
        **values,
    )
    return [EventId(row["event_id"]) for row in rows]


_REEVALUATED_REASONS: Final = (PendingFor.UNCONFIRMED, PendingFor.APPROVAL)

# Upcoming events only; RSVPs to past ones stay as they were.
_WITH_PENDING_RSVP: Final = f"""
    select a.event_id from attendances a join events e on e.id = a.event_id
     where a.user_id = :user_id and a.status = 'pending'
         and a.pending_for in ({", ".join(f"'{one}'" for one in _REEVALUATED_REASONS)})
       and a.source = 'network'
       and {is_not_over("e")} order by a.event_id
"""


async def events_with_pending_rsvp(reader: Reader, user_id: UserId) -> list[EventId]:
    """The upcoming events for which an RSVP record of this person is unconfirmed or awaits approval. In id order."""
    rows = await reader.fetch(_WITH_PENDING_RSVP, user_id=user_id, now=reader.now)
    return [EventId(row["event_id"]) for row in rows]


async def reevaluate_pending_rsvp(tx: Transaction, event_id: EventId, user_id: UserId) -> bool:
    """Reevaluate a pending RSVP of a person who is no longer foreign, or who is a member or host now. Return whether it
    changed. The RSVP of a person who is still foreign stays as it is: another group may have admitted them, which
    decides nothing about this event.

    It gets a place, joins the end of the waitlist or waits for approval. The deadline is compared with the time when the
    record arrived, not with the time of the sign-in. Raises TransactionConflict if the account was merged into another
    one meanwhile; then the transaction is repeated.
    """
    locked = await locked_event.lock_by_id(tx, event_id, user_id)
    user = await user_by_id(tx, user_id)
    if locked is None or locked.event.is_gone or locked.rsvp is None or not _can_be_reevaluated(locked.rsvp):
        return False
    if user is None:
        raise TransactionConflict("this person’s account was merged with another one in between")
    event, event_registration, rsvp = locked.event, locked.event_registration, locked.rsvp
    relationship = await relationship_of_record_author(tx, locked, user)
    if relationship.is_foreign and not relationship.is_host:
        return False
    details = rsvp_changes.details_of(rsvp)
    # A pending RSVP has no offer, so it stays as it is.
    _, has_room = await rsvp_changes.end_expired_offers_and_check_room(
        tx, event_registration, rsvp, details, usage=locked.seats
    )
    # Decided like a first RSVP: as long as it is pending, the table would keep it as it is.
    decision = rules.decide(
        event_registration,
        None,
        AttendanceAction.NETWORK_GOING,
        relationship=relationship,
        has_room=has_room,
        asked_at=await history.asked_by_record_at(tx, rsvp.id) or tx.now,
    )
    if (decision.status, decision.pending_for) == (rsvp.status, rsvp.pending_for):
        return False
    await rsvp_changes.save_decision(
        tx,
        RsvpChange(
            event,
            user_id,
            rsvp,
            decision,
            details,
            source=RsvpSource.NETWORK,
            through=ChangeChannel.NETWORK,
            actor_id=None,
            answered_at=rsvp.answered_at,
        ),
        enqueues_record=False,
    )
    return True


def _can_be_reevaluated(rsvp: Attendance) -> bool:
    return rsvp.source is RsvpSource.NETWORK and rsvp.pending_for in _REEVALUATED_REASONS
