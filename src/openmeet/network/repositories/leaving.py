"""Ending sessions: at the server that opened them, and here. The server's word is asked for, never waited for long."""

import asyncio
from collections.abc import Sequence

from at_network.bearer_session import SessionTokens, delete_session
from groundwork.database.transaction import Database, Transaction
from groundwork.errors import Failure, RemoteSlow
from groundwork.sealing import CannotUnseal
from groundwork.telemetry.logs import log
from openmeet.domain.identities import session_queries
from openmeet.domain.identities.model import SealedSession
from openmeet.domain.users.model import UserId
from openmeet.network.repositories import credentials_cache, oauth_client_keys, session_sealing
from openmeet.network.repositories.clients import Network

# Best effort: a server that is away lets its tokens run out by themselves.
REVOKE_SECONDS = 5.0


async def forget_all(tx: Transaction, user_id: UserId) -> list[SealedSession]:
    """A person's sessions at servers are none of ours any more; what is to be given back (``give_back_all``) once that is durable."""
    ended = await session_queries.of_user(tx, user_id)
    for session in ended:
        await session_queries.delete(tx, session.did)
    return ended


async def give_back_all(db: Database, network: Network, user_id: UserId, ended: Sequence[SealedSession]) -> None:
    """Have their servers end what was forgotten here, side by side."""
    await credentials_cache.drop(network, user_id)
    await asyncio.gather(*(give_back(db, network, session) for session in ended))


async def give_back(db: Database, network: Network, ended: SealedSession) -> None:
    """Have a session's server end it. Failing is noted; nothing here depends on it."""
    try:
        async with asyncio.timeout(REVOKE_SECONDS):
            await _revoke(db, network, ended)
    except TimeoutError:
        log.warning("session.not_revoked", did=ended.did, reason=RemoteSlow.__name__)
    except Failure as failure:
        log.warning("session.not_revoked", did=ended.did, reason=failure.name, why=failure.why)


async def _revoke(db: Database, network: Network, ended: SealedSession) -> None:
    try:
        session = session_sealing.unseal(network, ended)
    except CannotUnseal:
        return  # nobody can use what nobody can read
    if session.key is None:
        tokens = SessionTokens(ended.did, session.access, session.refresh)
        await delete_session(network.http, network.clock, ended.pds_url, tokens)
        return
    client = await oauth_client_keys.client_of_session(
        db, network, client_id=ended.client_id, key_id=ended.client_key_id
    )
    server = await network.servers.at(ended.issuer)
    await network.oauth.revoke(server, client, session.key, session.refresh or session.access)
