"""Somebody is kept away from now on: what they answered to coming events is no more, and their places are free.

What they said before stays in the history; nothing is told to anybody, and nothing is written to their repository. Lifted, nothing comes back by
itself: their place may be somebody else's by then. They may answer again.
"""

from groundwork.database.transaction import Reader, Transaction
from openmeet.domain.attendance import reevaluation, save
from openmeet.domain.attendance.model import Through
from openmeet.domain.events.model import EventId
from openmeet.domain.users.model import UserId

_COMING = """
    select a.event_id from attendances a join events e on e.id = a.event_id
     where a.user_id = :user_id and a.status in ('attending', 'interested', 'pending', 'waitlisted', 'invited')
       and e.deleted_at is null and (e.over_at is null or e.over_at > :now)
"""


async def turn_away(
    tx: Transaction, user_id: UserId, *, host: UserId | None = None, actor_id: UserId | None = None
) -> int:
    """From the coming events of one host, or of everybody; how many answers that were. Locks events in the order of their ids."""
    ended = 0
    for event_id in await _coming(tx, user_id, host):
        begun = await save.of_record(tx, event_id, user_id)
        if begun is not None:
            ended += await reevaluation.end(
                tx, begun, user_id, through=Through.HOST, actor_id=actor_id, owes_record=False
            )
    return ended


async def _coming(reader: Reader, user_id: UserId, host: UserId | None) -> list[EventId]:
    clause = "" if host is None else "and e.author_id = :host"
    values: dict[str, object] = {} if host is None else {"host": host}
    rows = await reader.fetch(f"{_COMING} {clause} order by a.event_id", user_id=user_id, now=reader.now, **values)
    return [EventId(row["event_id"]) for row in rows]
