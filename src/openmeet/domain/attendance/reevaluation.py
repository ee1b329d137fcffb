"""An answer ends without its person having asked for that, and the line moves up."""

from groundwork.database.transaction import Transaction
from openmeet.domain.attendance import placing, rules, waitlist
from openmeet.domain.attendance.model import Source, Through
from openmeet.domain.attendance.rules import Standing
from openmeet.domain.attendance.save import Beginning
from openmeet.domain.attendance.transitions import Act
from openmeet.domain.users.model import UserId


async def end(
    tx: Transaction, begun: Beginning, user_id: UserId, *, through: Through, actor_id: UserId | None, owes_record: bool
) -> bool:
    """Whether there was one to end. ``owes_record``: what stood in public is looked at again, so that no record says that they come."""
    event, mine, joining = begun.event, begun.mine, begun.joining
    if mine is None:
        return False
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
        through=through,
        actor_id=actor_id,
        answered_at=tx.now,
    )
    if owes_record:
        await placing.owe(tx, saved)
    if placing.frees(mine, saved):
        await waitlist.fill(tx, event, joining)
    return True
