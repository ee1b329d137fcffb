"""What people are called on a page: the name they chose, else the one on their DID, their handle, or the DID itself."""

from collections.abc import Sequence

from groundwork.database.transaction import Reader
from openmeet.domain.identities.model import Identity
from openmeet.domain.identities.queries import of_users
from openmeet.domain.users.model import UNNAMED, UserId
from openmeet.domain.users.queries import names


async def shown_names(reader: Reader, user_ids: Sequence[UserId]) -> dict[UserId, str]:
    """A name to show for each of these people, in two statements."""
    wanted = list(dict.fromkeys(user_ids))
    found = await names(reader, wanted)
    unnamed = [user_id for user_id in wanted if not found.get(user_id)]
    for user_id, identities in (await of_users(reader, unnamed)).items():
        found[user_id] = _name_of(identities[0]) if identities else UNNAMED
    return found


def _name_of(identity: Identity) -> str:
    if identity.display_name:
        return identity.display_name
    return f"@{identity.handle}" if identity.handle else identity.did
