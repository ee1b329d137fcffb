"""Whether somebody's server has still to be asked before records of a kind can be written there: what a page offers to do."""

from groundwork.database.transaction import Reader
from openmeet.domain.identities import queries, session_queries
from openmeet.domain.identities.permissions import Feature, Standing, standing
from openmeet.domain.users.model import UserId


async def permission_for(reader: Reader, user_id: UserId, feature: Feature) -> tuple[str, bool]:
    """The repository that new records of this person go to (empty: none), and whether its server has to be asked first."""
    mine = [one for one in await queries.of_user(reader, user_id) if one.can_write]
    session = await session_queries.find(reader, mine[0].did) if mine else None
    if session is None:
        return (mine[0].did if mine else ""), False
    return mine[0].did, standing(session, feature) is not Standing.GRANTED
