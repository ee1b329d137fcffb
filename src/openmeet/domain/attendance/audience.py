"""Audiences of fan-outs: attendees of an event that changed, and members and followers of a group with a new event."""

from collections.abc import Collection
from typing import Final

import msgspec

from groundwork.clock import Instant
from groundwork.database.transaction import Reader, Transaction
from openmeet.domain.attendance.notify import CONCERNED, people_answering
from openmeet.domain.attendance.queries import IS_GUEST
from openmeet.domain.attendance.visibility import people_who_see
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.events.queries import lock_for_update
from openmeet.domain.groups.membership_queries import listeners
from openmeet.domain.identities.queries import mentioned_in
from openmeet.domain.notifications import kinds
from openmeet.domain.notifications.fan_out import NOBODY_LEFT, FanOutAudience, RecipientPage
from openmeet.domain.notifications.kinds import KINDS, DatesChanged, Payload
from openmeet.domain.notifications.notify import Notice, reachable_among
from openmeet.domain.users.model import UserId

_WITH_RECIPIENTS = f"""
    select h.event_id from event_co_hosts h where h.event_id in :event_ids and h.state = 'accepted'
    union
    select f.subject_id from fan_outs f where f.subject_id in :event_ids
    union
    select a.event_id from attendances a join users u on u.id = a.user_id
     where a.event_id in :event_ids and a.status in :concerned and (u.kind = 'person' or {IS_GUEST})
"""


class EventNotice(msgspec.Struct, frozen=True):
    """One change of an event. ``by`` is the person who made it and is not notified. ``starts_at`` is the earlier start
    of an event that was moved.
    """

    kind: str
    revision: int
    payload: DatesChanged
    by: UserId
    starts_at: Instant | None = None


class GroupEventNotice(msgspec.Struct, frozen=True):
    """A group has a new event."""


async def with_recipients(reader: Reader, event_ids: Collection[EventId]) -> set[EventId]:
    """Return which of these events have recipients, or a fan-out that is still running."""
    if not event_ids:
        return set()
    rows = await reader.fetch(_WITH_RECIPIENTS, event_ids=sorted(event_ids), concerned=[one.value for one in CONCERNED])
    return {EventId(row["event_id"]) for row in rows}


async def _lock(tx: Transaction, event_id: str) -> Event | None:
    return await lock_for_update(tx, EventId(event_id))


async def _people_concerned(
    tx: Transaction, event: Event, notice: EventNotice, after: str, limit: int
) -> RecipientPage:
    people = await people_answering(tx, [event.id], CONCERNED, after=UserId(after), limit=limit + 1)
    some = people[:limit]
    to = [one for one in some if one != notice.by]
    notices = [Notice(to, event.id, notice.revision, notice.payload, notice.starts_at)]
    return RecipientPage([(KINDS[notice.kind], notices)], None if len(people) <= limit else some[-1])


async def _listeners_of_group(
    tx: Transaction, event: Event, _: GroupEventNotice, after: str, limit: int
) -> RecipientPage:
    """Members and followers who may see the event. People mentioned in it get the mention instead.

    If the event is hidden during the fan-out, the remaining people are notified when it is shown again. Nobody is
    notified twice.
    """
    if event.is_hidden:
        await tx.execute("update events set group_notice = 'due' where id = :id", id=event.id)
    if event.group is None or not event.may_be_announced(tx.now):
        return NOBODY_LEFT
    people = await listeners(tx, event.group.id, after=UserId(after), limit=limit + 1)
    some = people[:limit]
    seeing = await people_who_see(tx, event, [one for one in some if one != event.author_id])
    mentioned = [one for one in await mentioned_in(tx, event.content.description) if one in set(seeing)]
    of_mention = await reachable_among(tx, mentioned, kinds.MENTION)
    others = [one for one in seeing if one not in of_mention]
    about, starts_at, sources = Payload(person_id=event.author_id), event.starts_at, (event.author_id, event.group.id)
    return RecipientPage(
        [
            (kinds.MENTION, [Notice(of_mention, event.id, 1, about, starts_at, sources=sources)]),
            (kinds.GROUP_EVENT, [Notice(others, event.id, 1, Payload(), starts_at, sources=sources)]),
        ],
        None if len(people) <= limit else some[-1],
    )


ATTENDEES: Final = FanOutAudience("attendees", EventNotice, _lock, _people_concerned)
GROUP_LISTENERS: Final = FanOutAudience("group_listeners", GroupEventNotice, _lock, _listeners_of_group)
