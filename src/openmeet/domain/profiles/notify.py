"""Notify the followers of a host of a new event."""

from collections.abc import Sequence
from typing import Final

import msgspec

from groundwork.clock import Instant
from groundwork.database.transaction import Reader, Transaction
from openmeet.domain.events.co_host_queries import co_hosts_of
from openmeet.domain.events.model import Event
from openmeet.domain.events.queries import lock_subject
from openmeet.domain.events.unsolicited_lists import announced_sources, is_announced_to_strangers
from openmeet.domain.notifications import event_kinds
from openmeet.domain.notifications.fan_out import NOBODY_LEFT, FanOutAudience, RecipientPage
from openmeet.domain.notifications.model import Payload
from openmeet.domain.notifications.notify import Notice
from openmeet.domain.profiles import queries
from openmeet.domain.users.model import UserId


class HostEventNotice(msgspec.Struct, frozen=True):
    """Fan-out payload: a host has a new event.

    ``since``: when it became public. People who started to follow the host later are not notified.
    """

    since: Instant


async def _followers(tx: Transaction, event: Event, notice: HostEventNotice, after: str, limit: int) -> RecipientPage:
    if not await is_announced_to_strangers(tx, event):
        return NOBODY_LEFT
    hosts = [event.author_id, *(await co_hosts_of(tx, [event.id])).get(event.id, ())]
    people = await queries.followers(tx, hosts, notice.since, after, limit + 1)
    page = people[:limit]
    to = await _unaware_of(tx, event, page)
    notices = [Notice(to, event.id, 1, Payload(), event.starts_at, sources=announced_sources(event))]
    return RecipientPage([(event_kinds.HOST_EVENT, notices)], None if len(people) <= limit else page[-1])


async def _unaware_of(reader: Reader, event: Event, people: Sequence[UserId]) -> list[UserId]:
    """The given users who have not learned of the event yet: they do not host it, have no RSVP or invitation, and were
    not notified of it by a group or a mention.
    """
    if not people:
        return []
    rows = await reader.fetch(
        """
        select u.id from users u where u.id in :people and u.id <> :author
           and not exists (select 1 from attendances a where a.event_id = :event_id and a.user_id = u.id)
           and not exists (select 1 from event_co_hosts h where h.event_id = :event_id and h.user_id = u.id)
           and not exists (select 1 from notifications t where t.user_id = u.id and t.subject_id = :event_id
                                                          and t.kind in ('group_event', 'mention'))
         order by u.id
        """,
        people=list(people),
        author=event.author_id,
        event_id=event.id,
    )
    return [UserId(row["id"]) for row in rows]


PROFILE_FOLLOWERS: Final = FanOutAudience("profile_followers", HostEventNotice, lock_subject, _followers)
