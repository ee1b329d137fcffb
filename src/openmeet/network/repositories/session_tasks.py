"""Adapt our sessions when an account moves, is deactivated, returns or is deleted (``#identity``, ``#account``).

Also keeps sessions alive and deletes those that have ended.
"""

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
    """Adapt the sessions of an identity that was refreshed. ``before``: the identity before that.

    A new handle changes nothing. A new PDS ends the session: its tokens belong to the old one, and we send nothing to a
    server that did not issue it, least of all a password. The session of an inactive account is suspended; when the
    account is active again, waiting jobs become due.
    """
    if before.pds_url and pds_url and pds_url != before.pds_url:
        session = await session_queries.find(tx, before.did)
        if session is not None:
            await session_queries.set_needs_login(tx, session)
        if before.kind is IdentityKind.CUSTODIAL:
            # The person has migrated the account and holds its keys; our password no longer works there.
            await queries.release_custodial(tx, before.did)
        log.info("session.account_moved", did=before.did)
    if status == ACTIVE and before.status != ACTIVE and before.can_write:
        await publications.recheck_unpublished_of(tx, before.user_id)


# An unused refresh token of a public client is valid for two weeks; those of confidential clients and password sessions
# for longer. Refreshing daily loses none.
REFRESHED_EVERY = DAY
# The longest that a server may keep an unused refresh token valid (atproto OAuth profile).
UNUSED_FOR = 180 * DAY
# Until then the page can still show which scopes were refused.
OVER_FOR = 30 * DAY
# Enough for twenty thousand people a day at this task's interval, but few enough not to overload one server.
_AT_ONCE = 4
_BATCH = 150


async def keep_alive(db: Database, network: NetworkClients) -> int:
    """Refresh sessions that will be needed: those of people who publish, and of enqueued records. Returns how many."""
    async with db.transaction() as tx:
        dids = await session_queries.take_to_keep_alive(tx, before=Instant(tx.now - REFRESHED_EVERY), limit=_BATCH)
    slots = asyncio.Semaphore(_AT_ONCE)

    async def refresh(did: str) -> bool:
        async with slots:
            return await _refresh(db, network, did)

    return sum(await asyncio.gather(*(refresh(did) for did in dids)))


async def delete_expired(db: Database) -> int:
    """Delete sessions that are no longer usable, and sign-ins that nobody finished."""
    async with db.transaction() as tx:
        deleted_count = await session_queries.delete_expired(
            tx, over_before=Instant(tx.now - OVER_FOR), unused_before=Instant(tx.now - UNUSED_FOR)
        )
        return deleted_count + await authorization_queries.forget_old(tx, Instant(tx.now - DAY))


async def _refresh(db: Database, network: NetworkClients, did: str) -> bool:
    try:
        await sessions.refresh(db, network, did)
    except NotSignedIn:
        return False  # it has ended, and its row is marked as ended
    except Failure as failure:
        log.warning("session.not_refreshed", did=did, why=failure.why)
        return False
    return True
