"""Somebody is out of a group: their answers to coming events that they see no more end, and their places are free.

What they said before stays in the history, which says why it ended; nobody is told, and back in the group they may answer again. What they see
without the group (public events, those that they host) keeps their answer.
"""

from groundwork.database.transaction import Reader, Transaction
from openmeet.attendance import beginning, ending
from openmeet.attendance.model import Through
from openmeet.events import seeing
from openmeet.events.model import EventId
from openmeet.users.model import UserId

_COMING = """
    select a.event_id from attendances a
      join events e on e.id = a.event_id
      join group_members m on m.group_id = e.group_id and m.user_id = a.user_id
     where a.user_id = :user_id and a.status in ('attending', 'interested', 'pending', 'waitlisted')
       and m.role in ('left', 'banned') and e.deleted_at is null and (e.over_at is null or e.over_at > :now)
     order by a.event_id
"""


async def answered(reader: Reader, user_id: UserId) -> list[EventId]:
    """The coming events of groups in which this person is no more, to which they have an answer."""
    rows = await reader.fetch(_COMING, user_id=user_id, now=reader.now)
    return [EventId(row["event_id"]) for row in rows]


async def end_answer(tx: Transaction, event_id: EventId, user_id: UserId) -> bool:
    """End the answer if its event is not theirs to see any more; whether it was ended."""
    begun = await beginning.of_record(tx, event_id, user_id)
    if begun is None or begun.mine is None or await seeing.may_see(tx, begun.event, user_id, is_invited=True):
        return False
    return await ending.end(tx, begun, user_id, through=Through.GROUP, actor_id=None, owes_record=True)
