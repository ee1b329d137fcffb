"""What becomes of our sessions when an account moves, rests, comes back or goes (``#identity``, ``#account``, asked and confirmed)."""

import asyncio

from groundwork.clock import DAY, Instant
from groundwork.database.transaction import Database, Transaction
from groundwork.errors import Failure, NotSignedIn
from groundwork.telemetry.logs import log
from openmeet.domain.identities import authorization_queries, queries, session_queries
from openmeet.domain.identities.model import ACTIVE, Identity, IdentityKind
from openmeet.network.repositories import sessions
from openmeet.network.repositories.clients import NetworkClients
from openmeet.outbox import publications


async def follow(tx: Transaction, before: Identity, *, pds_url: str, status: str) -> None:
    """Called with the identity as it was, after it was asked anew.

    A new handle changes nothing. A new PDS ends the session: its tokens are for the old one, and nothing of ours is sent to
    a server that did not give it (a password least of all). A resting account's session rests with it; when the account is
    back, what waited is due.
    """
    if before.pds_url and pds_url and pds_url != before.pds_url:
        session = await session_queries.find(tx, before.did)
        if session is not None:
            await session_queries.set_needs_login(tx, session)
        if before.kind is IdentityKind.CUSTODIAL:
            # Its person took it along: they hold its keys, and our password is worth nothing there.
            await queries.release_custodial(tx, before.did)
        log.info("session.account_moved", did=before.did)
    if status == ACTIVE and before.status != ACTIVE and before.can_write:
        await publications.wake_all_of(tx, before.user_id)


# A public client's refresh token lives two weeks unused, a confidential one's and that of a password longer: a day's rhythm loses none.
REFRESHED_EVERY = DAY
# The longest that a server may let an unused refresh token live (atproto OAuth profile).
UNUSED_FOR = 180 * DAY
# Until then the page still knows what was refused before.
OVER_FOR = 30 * DAY
# Enough for twenty thousand people a day at this chore's rhythm, few enough to be no storm for one server.
_AT_ONCE = 4
_BATCH = 150


async def keep_alive(db: Database, network: NetworkClients) -> int:
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


async def _refresh(db: Database, network: NetworkClients, did: str) -> bool:
    try:
        await sessions.refresh(db, network, did)
    except NotSignedIn:
        return False  # it is over, and its row says so by now
    except Failure as failure:
        log.warning("session.not_refreshed", did=did, why=failure.why)
        return False
    return True
