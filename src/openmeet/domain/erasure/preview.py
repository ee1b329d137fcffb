"""Preview of what happens if a person deletes their account, shown before they confirm."""

from typing import Final

from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from openmeet.domain.erasure import actions
from openmeet.domain.erasure.model import MOST_LISTED, ErasurePreview, HostedEvent
from openmeet.domain.events import ownership
from openmeet.domain.events import queries as events
from openmeet.domain.events.model import EventId
from openmeet.domain.users import queries as users
from openmeet.domain.users.model import UserId

_COUNTS: Final = """
    select (select count(*) from attendances a join events e on e.id = a.event_id
             where a.user_id = :id and a.status not in ('declined', 'rejected') and e.deleted_at is null
               and (e.over_at is null or e.over_at > :now)) as answers,
           (select count(*) from group_members m join groups g on g.id = m.group_id
             where m.user_id = :id and m.role in ('admin', 'moderator', 'member') and g.deleted_at is null) as memberships,
           (select count(*) from groups g where g.owner_id = :id and g.deleted_at is null) as owned,
           (select count(*) from groups g where g.owner_id = :id and g.deleted_at is null and exists (
              select 1 from group_members m where m.group_id = g.id and m.user_id <> :id
                 and m.role in ('admin', 'moderator', 'member'))) as passed,
           (select count(*) from publications p where p.user_id = :id and p.uri is not null
               and p.state not in ('withheld', 'retracted')) as records,
           (select count(*) from identities i where i.user_id = :id and i.kind = 'custodial') as custodial
"""
# The next date of each series, and every date within the grace period.
_DATES: Final = """
    select e.id from events e
     where e.author_id = :id and e.origin = 'here' and e.series_id is not null and e.is_draft = 0
       and e.status <> 'cancelled' and e.deleted_at is null and e.removed_at is null and e.over_at > :now
       and (e.starts_at < :due_at or not exists (
            select 1 from events f
             where f.series_id = e.series_id and f.status <> 'cancelled' and f.deleted_at is null and f.over_at > :now
               and (f.starts_at < e.starts_at or f.starts_at = e.starts_at and f.id < e.id)))
     order by e.starts_at, e.id
"""


async def preview_deletion(reader: Reader, user_id: UserId, grace: int) -> ErasurePreview:
    """Return the consequences of a request. ``grace`` is in microseconds."""
    due_at = Instant(reader.now + grace)
    coming = await ownership.upcoming_single_events(reader, user_id)
    dates = await reader.fetch(_DATES, id=user_id, now=reader.now, due_at=due_at)
    coming += [EventId(row["id"]) for row in dates]
    listed = []
    for event_id in coming[:MOST_LISTED]:
        event = await events.by_id(reader, event_id)
        if event is None or event.is_cancelled:
            continue
        heir = await ownership.heir_of(reader, event)
        name = None if heir is None else (await users.names(reader, [heir])).get(heir, "")
        is_soon = event.starts_at is not None and event.starts_at < due_at
        listed.append(HostedEvent(event.title, event.slug, event.starts_at, name, is_soon))
    listed.sort(key=lambda one: (one.starts_at is None, one.starts_at or 0))
    row = await reader.fetch_one(_COUNTS, id=user_id, now=reader.now)
    counts = {} if row is None else dict(row)
    return ErasurePreview(
        due_at=due_at,
        events=tuple(listed),
        more_events=max(len(coming) - MOST_LISTED, 0),
        groups_passed=counts["passed"],
        groups_deleted=counts["owned"] - counts["passed"],
        answers=counts["answers"],
        memberships=counts["memberships"],
        records=counts["records"],
        out_of_reach=await actions.out_of_reach(reader, user_id),
        has_custodial_account=bool(counts["custodial"]),
    )
