"""Two people turn out to be one: their DIDs, what they said about publishing, the repository that is kept for one of them."""

from typing import Final

from groundwork.database.transaction import Transaction
from groundwork.errors import Refused
from groundwork.outbox.owe import owe
from openmeet.domain.identities import publication_consent, queries
from openmeet.domain.users.merge import hand_over, hand_over_unique
from openmeet.domain.users.model import UserId
from openmeet.outbox.kinds import Debt

# Of two words about publishing the later one counts, whoever stays; being asked is no word.
_DROP_EARLIER_WORD: Final = """
    delete from consents
     where user_id = :to_user and exists (
           select 1 from consents c
            where c.user_id = :from_user and c.answered_at is not null
              and c.answered_at > coalesce(consents.answered_at, 0))
"""

_OF_WHOM_WE_KEEP: Final = (
    "select count(distinct user_id) as n from custodial_accounts where user_id in (:from_user, :to_user)"
)


async def reassign(tx: Transaction, from_user: UserId, to_user: UserId) -> None:
    """DIDs, consent and custodial account of the one are the other's; new records go where those of ``to_user`` went before.

    Raises Refused (``TwoRepositories``) where a repository is kept for each: a person has one such.
    """
    people = {"from_user": from_user, "to_user": to_user}
    kept = await tx.fetch_one(_OF_WHOM_WE_KEEP, **people)
    if kept is not None and kept["n"] > 1:
        raise Refused(
            "For both accounts a repository is kept here. Take one of them over first, then join them.",
            name="TwoRepositories",
        )
    await tx.execute(_DROP_EARLIER_WORD, **people)
    await hand_over_unique(tx, "consents", "user_id", (), from_user, to_user)
    await publication_consent.reassign(tx, from_user, to_user)
    await hand_over(tx, "custodial_accounts", "user_id", from_user, to_user)
    await hand_over(tx, "recovery_keys", "user_id", from_user, to_user)
    if any(one.is_default for one in await queries.of_user(tx, to_user)):
        await tx.execute("update identities set is_default = 0 where user_id = :from_user", from_user=from_user)
    await hand_over(tx, "identities", "user_id", from_user, to_user)
    consent = await queries.consent(tx, to_user)
    if consent.is_given and not any(one.can_write for one in await queries.of_user(tx, to_user)):
        # The one who goes said yes a moment ago, and their repository is still being made.
        await owe(tx, Debt.CUSTODIAL_ACCOUNT, to_user, int(tx.now))
