"""Set-up of the authorization server from settings and secrets. Everything that must survive a restart is derived from
sealed keys in the database: nonces, refresh tokens, the access token key.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from at_protocol.crypto.p256 import P256PrivateKey
from at_protocol.lexicon.catalog import Catalog
from aurora_locus.accounts.registry import Registry
from aurora_locus.keys import server_keys
from aurora_locus.oauth import codes, requests, sessions
from aurora_locus.oauth.access_tokens import AccessTokens
from aurora_locus.oauth.clients import Clients, Fetch
from aurora_locus.oauth.permission_documents import PermissionDocuments, Resolve
from aurora_locus.oauth.proofs import DpopNonces
from aurora_locus.oauth.refresh_tokens import RefreshTokens
from aurora_locus.oauth.server import AuthorizationServer
from aurora_locus.oauth.session_cache import SessionCache
from aurora_locus.settings import PdsSettings
from groundwork.cache.open_ import EMBEDDED, open_cache
from groundwork.sealing import Sealer


@asynccontextmanager
async def open_authorization(
    settings: PdsSettings,
    registry: Registry,
    sealer: Sealer,
    fetch: Fetch,
    catalog: Catalog,
    resolve: Resolve | None = None,
) -> AsyncIterator[AuthorizationServer]:
    """Open the OAuth authorization server. Raises Refused if the cache is unavailable.

    ``fetch`` fetches client metadata; ``resolve`` finds permission sets that the catalog lacks.
    """
    db, clock = registry.db, registry.clock
    session_cache = SessionCache(db, clock)
    registry.repositories.when_forgotten(session_cache.forget_account)
    clients = Clients(fetch, clock, is_development=settings.dev_mode)
    # Remembers used proofs and assertions until they expire.
    replays = open_cache(settings.scratch_url or EMBEDDED, prefix=f"{settings.hostname}:oauth", clock=clock)
    key = await server_keys.find_or_make(db, sealer, server_keys.OAUTH_TOKENS)
    try:
        yield AuthorizationServer(
            registry=registry,
            issuer=settings.url,
            nonces=DpopNonces(await server_keys.find_or_make(db, sealer, server_keys.OAUTH_NONCES), clock),
            access_tokens=AccessTokens(P256PrivateKey.from_bytes(key), settings.url, settings.did),
            refresh_tokens=RefreshTokens(await server_keys.find_or_make(db, sealer, server_keys.OAUTH_REFRESH)),
            clients=clients,
            permission_documents=PermissionDocuments(catalog, resolve),
            session_cache=session_cache,
            replays=replays,
            trusted_clients=frozenset(settings.oauth_trusted_clients),
            is_development=settings.dev_mode,
        )
    finally:
        await clients.close()
        await replays.close()


async def sweep(server: AuthorizationServer) -> int:
    """Delete expired requests, codes and sessions. Return the number of sessions."""
    db = server.registry.db
    await db.write(requests.sweep)
    await db.write(codes.sweep)
    return await db.write(sessions.sweep)
