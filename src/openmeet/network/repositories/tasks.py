"""What happens to sessions by the clock: kept alive while something is to be published with them, forgotten once they are over."""

import asyncio

from groundwork.clock import DAY, Instant
from groundwork.database.transaction import Database
from groundwork.errors import Failure, NotSignedIn
from groundwork.telemetry.logs import log
from openmeet.domain.identities import authorization_queries, session_queries
from openmeet.network.repositories import sessions
from openmeet.network.repositories.clients import Network

# A public client's refresh token lives two weeks unused, a confidential one's and that of a password longer: a day's rhythm loses none.
REFRESHED_EVERY = DAY
# The longest that a server may let an unused refresh token live (atproto OAuth profile).
UNUSED_FOR = 180 * DAY
# Until then the page still knows what was refused before.
OVER_FOR = 30 * DAY
# Enough for twenty thousand people a day at this chore's rhythm, few enough to be no storm for one server.
_AT_ONCE = 4
_BATCH = 150


async def keep_alive(db: Database, network: Network) -> int:
    """Refresh sessions that will be needed: of people who publish, and of records that are still owed. How many were."""
    async with db.transaction() as tx:
        dids = await session_queries.take_to_keep_alive(tx, before=Instant(tx.now - REFRESHED_EVERY), limit=_BATCH)
    slots = asyncio.Semaphore(_AT_ONCE)

    async def refresh(did: str) -> bool:
        async with slots:
            return await _refresh(db, network, did)

    return sum(await asyncio.gather(*(refresh(did) for did in dids)))


async def forget_over(db: Database) -> int:
    """Drop sessions that nothing can be done with any more, and sign-ins that nobody finished."""
    async with db.transaction() as tx:
        gone = await session_queries.forget_over(
            tx, over_before=Instant(tx.now - OVER_FOR), unused_before=Instant(tx.now - UNUSED_FOR)
        )
        return gone + await authorization_queries.forget_old(tx, Instant(tx.now - DAY))


async def _refresh(db: Database, network: Network, did: str) -> bool:
    try:
        await sessions.refresh(db, network, did)
    except NotSignedIn:
        return False  # it is over, and its row says so by now
    except Failure as failure:
        log.warning("session.not_refreshed", did=did, why=failure.why)
        return False
    return True
