"""Two people turn out to be one: what either hosts is one person's, and nobody hosts the same event twice."""

from typing import Final

from groundwork.database.transaction import Transaction
from openmeet.domain.users.merge import hand_over, hand_over_unique
from openmeet.domain.users.model import UserId

# A key protects one person's form from being sent twice: it protects nobody's any more.
_FORGET_KEYS: Final = (
    "update events set submission_key = null where author_id = :from_user and submission_key is not null"
)

# Who said yes to hosting hosts, whatever became of the other invitation.
_DROP_LESSER: Final = """
    delete from event_hosts
     where user_id = :to_user and state <> 'accepted' and exists (
           select 1 from event_hosts o
            where o.event_id = event_hosts.event_id and o.user_id = :from_user and o.state = 'accepted')
"""
_DROP_OWN: Final = """
    delete from event_hosts
     where user_id = :to_user and exists (select 1 from events e where e.id = event_hosts.event_id and e.author_id = :to_user)
"""


async def reassign(tx: Transaction, from_user: UserId, to_user: UserId) -> int:
    """Events and invitations to host of the one are the other's; how many events."""
    people = {"from_user": from_user, "to_user": to_user}
    await tx.execute(_FORGET_KEYS, from_user=from_user)
    moved = await hand_over(tx, "events", "author_id", from_user, to_user)
    await tx.execute(_DROP_LESSER, **people)
    await hand_over_unique(tx, "event_hosts", "user_id", ("event_id",), from_user, to_user)
    await hand_over(tx, "event_hosts", "invited_by", from_user, to_user)
    await tx.execute(_DROP_OWN, to_user=to_user)
    return moved
