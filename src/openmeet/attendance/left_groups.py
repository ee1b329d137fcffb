"""Somebody is out of a group: their answers to coming events that they see no more end, and their places are free.

What they said before stays in the history, which says why it ended; nobody is told, and back in the group they may answer again. What they see
without the group (public events, those that they host) keeps their answer.
"""

from groundwork.database.transaction import Reader, Transaction
from openmeet.attendance import beginning, line, placing, rules
from openmeet.attendance.model import Source, Through
from openmeet.attendance.rules import Standing
from openmeet.attendance.transitions import Act
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
    event, mine, joining = begun.event, begun.mine, begun.joining
    decided = rules.decide(event, joining, mine, Act.NETWORK_NOT_GOING, standing=Standing(), has_room=False, now=tx.now)
    if decided.status is mine.status:
        return False
    saved = await placing.put(
        tx,
        event,
        user_id,
        mine,
        decided,
        placing.as_said(mine),
        source=Source.HERE,
        through=Through.GROUP,
        actor_id=None,
        answered_at=tx.now,
    )
    # What stood in public once is looked at again: no record says that they come.
    await placing.owe(tx, saved)
    if placing.frees(mine, saved):
        await line.fill(tx, event, joining)
    return True
