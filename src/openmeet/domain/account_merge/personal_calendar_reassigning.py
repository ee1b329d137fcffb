"""Two people turn out to be one: calendars that either subscribed to, and the secret address of one's own."""

from typing import Final

from groundwork.database.transaction import Transaction
from openmeet.domain.users.merge import hand_over, hand_over_unique
from openmeet.domain.users.model import UserId

# An address that works is worth more than the place for one.
_DROP_UNUSED: Final = """
    delete from calendar_feeds
     where user_id = :to_user and token_hash is null
       and exists (select 1 from calendar_feeds o where o.user_id = :from_user and o.token_hash is not null)
"""


async def reassign(tx: Transaction, from_user: UserId, to_user: UserId) -> None:
    """A calendar that both have is had once. Of two secret addresses that of ``to_user`` goes on working."""
    await hand_over_unique(tx, "subscribed_calendars", "user_id", ("digest",), from_user, to_user)
    await hand_over(tx, "subscribed_dates", "user_id", from_user, to_user)
    await tx.execute(_DROP_UNUSED, from_user=from_user, to_user=to_user)
    await hand_over_unique(tx, "calendar_feeds", "user_id", (), from_user, to_user)
