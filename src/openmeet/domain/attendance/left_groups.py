"""Somebody is out of a group: their answers to coming events that they see no more end, and their places are free.

What they said before stays in the history, which says why it ended; nobody is told, and back in the group they may answer again. What they see
without the group (public events, those that they host) keeps their answer. Once a group, or an event of it, is shown to its members alone,
that is so, too, of those who left it before (docs/decisions/0086).
"""

from collections.abc import Sequence

from groundwork.database.transaction import Reader, Transaction
from groundwork.outbox.owe import owe_chosen
from openmeet.domain.attendance import reevaluation, save
from openmeet.domain.attendance.model import Through
from openmeet.domain.events import seeing
from openmeet.domain.events.model import Event, EventId, Visibility
from openmeet.domain.users.model import UserId
from openmeet.outbox.kinds import Debt

_COMING = """
    select a.event_id from attendances a
      join events e on e.id = a.event_id
      join group_members m on m.group_id = e.group_id and m.user_id = a.user_id
     where a.user_id = :user_id and a.status in ('attending', 'interested', 'pending', 'waitlisted')
       and m.role in ('left', 'banned') and e.deleted_at is null and (e.over_at is null or e.over_at > :now)
     order by a.event_id
"""


# Who of them has answered anything is found when the debt is paid.
_OUT = "select user_id as subject from group_members where group_id = :group_id and role in ('left', 'banned') order by user_id"


async def look_again(tx: Transaction, events: Sequence[Event]) -> None:
    """Others than before are shown these locked events: of those for members alone, who left the group gives back what they hold."""
    private = [one.group.id for one in events if one.group is not None and one.visibility is Visibility.PRIVATE]
    for group_id in sorted(set(private)):
        await look_again_in(tx, group_id)


async def look_again_in(tx: Transaction, group_id: str) -> None:
    """The same of all events of a group that its members alone are shown from now on."""
    await owe_chosen(tx, Debt.LEFT_GROUP, _OUT, int(tx.now), group_id=group_id)


async def answered(reader: Reader, user_id: UserId) -> list[EventId]:
    """The coming events of groups in which this person is no more, to which they have an answer."""
    rows = await reader.fetch(_COMING, user_id=user_id, now=reader.now)
    return [EventId(row["event_id"]) for row in rows]


async def end_answer(tx: Transaction, event_id: EventId, user_id: UserId) -> bool:
    """End the answer if its event is not theirs to see any more; whether it was ended."""
    begun = await save.of_record(tx, event_id, user_id)
    if begun is None or begun.mine is None or await seeing.may_see(tx, begun.event, user_id, is_invited=True):
        return False
    return await reevaluation.end(tx, begun, user_id, through=Through.GROUP, actor_id=None, owes_record=True)
