"""Two people turn out to be one: series, whom they were offered to, following, answers to every date, and what can be undone."""

from typing import Final

from groundwork.database.transaction import Transaction
from openmeet.domain.users.merge import hand_over, hand_over_unique
from openmeet.domain.users.model import UserId

_FORGET_KEYS: Final = (
    "update event_series set submission_key = null where user_id = :from_user and submission_key is not null"
)
# Nobody is offered what is theirs.
_DROP_OFFERS: Final = """
    delete from event_series_offers
     where from_user_id in (:from_user, :to_user) and to_user_id in (:from_user, :to_user)
"""
# An act is kept with whole rows as they were; undone within its ten minutes, it must not bring back who is not there any more.
_IN_UNDOS: Final = """
    update event_series_undos set kept = replace(kept, :from_user, :to_user)
     where expires_at > :now and undone_at is null and kept like '%' || cast(:from_user as text) || '%'
"""
# Who is not there any more is told nothing: what waits for them waits for the other.
_IN_TELLINGS: Final = """
    update event_series_tellings set telling = replace(telling, :from_user, :to_user)
     where telling like '%' || cast(:from_user as text) || '%'
"""


async def reassign(tx: Transaction, from_user: UserId, to_user: UserId) -> int:
    """Everything of series that names the one names the other; how many series."""
    people = {"from_user": from_user, "to_user": to_user}
    await tx.execute(_FORGET_KEYS, from_user=from_user)
    await tx.execute(_DROP_OFFERS, **people)
    await tx.execute(_IN_UNDOS, **people, now=tx.now)
    await tx.execute(_IN_TELLINGS, **people)
    moved = await hand_over(tx, "event_series", "user_id", from_user, to_user)
    await hand_over(tx, "event_series_offers", "from_user_id", from_user, to_user)
    await hand_over(tx, "event_series_offers", "to_user_id", from_user, to_user)
    await hand_over_unique(tx, "event_series_followers", "user_id", ("series_id",), from_user, to_user)
    await hand_over_unique(tx, "event_series_answers", "user_id", ("series_id",), from_user, to_user)
    await hand_over_unique(tx, "event_series_invitations", "user_id", ("series_id",), from_user, to_user)
    await hand_over(tx, "event_series_invitations", "invited_by", from_user, to_user)
    return moved
