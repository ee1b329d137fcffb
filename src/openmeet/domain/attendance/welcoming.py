"""Somebody whose answers waited because nobody knew who they are has signed in, joined, or become a host: they are decided anew."""

from typing import Final

from groundwork.database.transaction import Transaction
from openmeet.domain.attendance import joining_queries, placing, queries, rules
from openmeet.domain.attendance.actions import is_member
from openmeet.domain.attendance.model import PendingFor, Source, Through
from openmeet.domain.attendance.rules import Standing
from openmeet.domain.attendance.transitions import Act
from openmeet.domain.events.co_host_queries import beside_authors
from openmeet.domain.events.queries import lock_for_update
from openmeet.domain.users.model import UserId

_UNKNOWN: Final = (PendingFor.APART, PendingFor.APPROVAL)

# Of what is to come; what is over stays as it was.
_WAITING: Final = """
    select a.event_id from attendances a join events e on e.id = a.event_id
     where a.user_id = :user_id and a.status = 'pending' and a.pending_for in ('apart', 'approval')
       and a.source = 'network'
       and (e.over_at is null or e.over_at > :now) order by a.event_id
"""


async def welcome(tx: Transaction, user_id: UserId) -> int:
    """Decide anew, as of somebody known, what stood apart or waited for approval: a place, the end of the line, or the host's

    word; how many changed.
    """
    changed = 0
    for row in await tx.fetch(_WAITING, user_id=user_id, now=tx.now):
        event = await lock_for_update(tx, row["event_id"])
        mine = await queries.find(tx, row["event_id"], user_id)
        if event is None or event.is_gone or mine is None or mine.pending_for not in _UNKNOWN:
            continue
        joining = await joining_queries.of_event(tx, event)
        standing = Standing(
            is_host=user_id in {event.author_id, *(await beside_authors(tx, [event.id])).get(event.id, [])},
            is_member=await is_member(tx, event, joining, user_id, always=True),
        )
        said = placing.as_said(mine)
        room = await placing.has_room(tx, event, joining, mine, said)
        decided = rules.decide(event, joining, None, Act.NETWORK_GOING, standing=standing, has_room=room, now=tx.now)
        if (decided.status, decided.pending_for) == (mine.status, mine.pending_for):
            continue
        await placing.put(
            tx,
            event,
            user_id,
            mine,
            decided,
            said,
            source=Source.NETWORK,
            through=Through.NETWORK,
            actor_id=user_id,
            answered_at=mine.answered_at,
        )
        changed += 1
    return changed
