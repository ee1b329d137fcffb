"""Whether a setting names somebody: by e-mail address, or by the DID of an account that is theirs."""

from collections.abc import Sequence

from groundwork.database.transaction import Reader
from openmeet.domain.users.model import UserId

NAMED = """
    select email as name from users where id = :user_id and email in :named
    union all
    select did from identities where user_id = :user_id and did in :named and kind <> 'shadow'
    order by 1
"""


async def named_as(reader: Reader, user_id: UserId, named: Sequence[str]) -> str | None:
    """What the setting, whose value is ``named``, calls them; None where it does not."""
    if not named:
        return None
    wanted = [one.lower() if "@" in one else one for one in named]
    row = await reader.fetch_one(NAMED, user_id=user_id, named=wanted)
    return None if row is None else str(row["name"])
