"""What people are called on a page: the name they chose, else their handle, else words that say neither."""

from collections.abc import Sequence

from groundwork.database.transaction import Reader
from openmeet.users.model import UNNAMED, UserId
from openmeet.users.queries import names


async def shown_names(reader: Reader, user_ids: Sequence[UserId]) -> dict[UserId, str]:
    """A name to show for each of these people."""
    wanted = list(dict.fromkeys(user_ids))
    chosen = await names(reader, wanted)
    return {user_id: chosen.get(user_id) or UNNAMED for user_id in wanted}
