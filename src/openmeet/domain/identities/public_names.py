"""The name under which others read of a person. Nobody hosts an event or a group without one."""

from groundwork.database.transaction import Reader
from groundwork.errors import Refused
from openmeet.domain.identities.queries import own_handles
from openmeet.domain.users.model import UserId, UserReason
from openmeet.domain.users.queries import by_id


async def has_public_name(reader: Reader, user_id: UserId) -> bool:
    """Whether others read a name or at least a handle of this person."""
    user = await by_id(reader, user_id)
    return (user is not None and bool(user.display_name)) or bool(await own_handles(reader, user_id))


async def require_public_name(reader: Reader, user_id: UserId) -> None:
    """Before a person publishes an event or creates a group. Raises Refused (``NameNeeded``)."""
    if not await has_public_name(reader, user_id):
        raise Refused(UserReason.HOST_NEEDS_NAME, name="NameNeeded")
