"""Keys that identify a site to authorization servers: created here, sealed at rest and rotated. The public halves are
served.

Servers cache a client's key set for minutes and bind a session to its key. So a new key is served for a while before it
signs anything, and an old one stays as long as a session uses it.
"""

import secrets
from dataclasses import dataclass

from at_network.oauth_client import OAuthClientIdentity
from at_protocol.crypto import p256
from at_protocol.crypto.jwk import thumbprint, to_jwk
from at_protocol.crypto.scalar import RECOMMENDED_ENTROPY_BYTES
from groundwork.clock import DAY, HOUR, Instant
from groundwork.database.transaction import Database, Reader, Transaction
from groundwork.errors import NotSignedIn, Unavailable
from groundwork.sealing import CannotUnseal
from openmeet.network.repositories.clients import NetworkClients
from openmeet.network.repositories.reasons import RepositoryReason

# Servers may cache a key set for 10 minutes, and their proxies for another 10.
SERVED_BEFORE_USE = HOUR
ROTATED_AFTER = 90 * DAY

LIST = "select key_id, sealed, created_at from oauth_client_keys order by created_at desc, key_id"
INSERT = "insert into oauth_client_keys (key_id, sealed, created_at) values (:key_id, :sealed, :now)"
# A pending sign-in uses a key too, but it ends within minutes, well before a day has passed.
FORGET_UNUSED = """
    delete from oauth_client_keys
     where created_at < :before
       and exists (select 1 from oauth_client_keys newer
                    where newer.created_at > oauth_client_keys.created_at and newer.created_at < :before)
       and not exists (select 1 from repository_sessions s where s.client_key_id = oauth_client_keys.key_id)
"""


@dataclass(frozen=True, slots=True)
class SealedClientKey:
    """One key. Its id is derived from its public half."""

    key_id: str
    sealed: bytes
    created_at: Instant


async def client_for_new_session(db: Database, network: NetworkClients) -> OAuthClientIdentity:
    """Return our client identity for a new sign-in. Raises Unavailable if the site has no OAuth client."""
    if network.app is None:
        raise Unavailable(RepositoryReason.SITE_NOT_TRUSTED)
    if not network.app.is_confidential:
        return OAuthClientIdentity(network.app.client_id)
    async with db.reader() as reader:
        keys = await _all(reader, network)
        now = reader.now
    if not keys:
        keys = [await add(db, network)]
    served = [key for key in keys if key.created_at <= now - SERVED_BEFORE_USE]
    # Use the newest key that all servers have had time to load or, at the very beginning, the first key.
    return _client(network, network.app.client_id, served[0] if served else keys[-1])


async def client_of_session(
    db: Database, network: NetworkClients, *, client_id: str, key_id: str
) -> OAuthClientIdentity:
    """Return our client identity of an existing session. A server refreshes the session only for this identity. Raises
    NotSignedIn if that key is gone.
    """
    if not key_id:
        return OAuthClientIdentity(client_id)
    async with db.reader() as reader:
        client_key = next((key for key in await _all(reader, network) if key.key_id == key_id), None)
    if client_key is None:
        raise NotSignedIn(RepositoryReason.SIGN_IN_AGAIN, name="ClientKeyGone")
    return _client(network, client_id, client_key)


async def key_set(db: Database, network: NetworkClients) -> dict[str, object]:
    """Return the public keys as a JWKS document (RFC 7517). Raises Unavailable before there is one, because servers
    would cache an empty set. They ask for it during a sign-in, which creates the first key.
    """
    async with db.reader() as reader:
        keys = await _all(reader, network)
    if not keys:
        raise Unavailable(RepositoryReason.NO_CLIENT_KEY, after_seconds=60.0)
    return {"keys": [_public(network, key) for key in keys]}


async def add(db: Database, network: NetworkClients) -> SealedClientKey:
    """Create a key. It is served at once; new sessions use it after a while."""
    private = p256.P256PrivateKey.from_random(secrets.token_bytes(RECOMMENDED_ENTROPY_BYTES))
    key_id = thumbprint(private.public)
    async with db.transaction() as tx:
        made = SealedClientKey(
            key_id, network.sealer.seal(private.to_bytes(), purpose_of(network.tenant, key_id)), tx.now
        )
        await tx.execute(INSERT, key_id=key_id, sealed=made.sealed, now=tx.now)
    return made


async def rotate_when_due(db: Database, network: NetworkClients) -> bool:
    """Create a key if there is none or the newest is old, and delete old ones that no session needs. Returns whether one
    was created.
    """
    if network.app is None or not network.app.is_confidential:
        return False
    async with db.transaction() as tx:
        keys = await _all(tx, network)
        await forget_unused(tx)
        is_due = not keys or keys[0].created_at <= tx.now - ROTATED_AFTER
    if is_due:
        await add(db, network)
    return is_due


async def forget_unused(tx: Transaction) -> int:
    """Delete keys older than the current one that no session uses."""
    return await tx.execute(FORGET_UNUSED, before=Instant(tx.now - DAY))


def purpose_of(tenant: str, key_id: str) -> str:
    """Return the sealing purpose of a key's private half."""
    return f"openmeet/client_key/{tenant}/{key_id}"


async def _all(reader: Reader, network: NetworkClients) -> list[SealedClientKey]:
    """Return all keys, newest first, except those that none of our sealing keys can open any longer."""
    rows = await reader.fetch(LIST)
    keys = [SealedClientKey(row["key_id"], bytes(row["sealed"]), row["created_at"]) for row in rows]
    return [key for key in keys if _opens(network, key)]


def _opens(network: NetworkClients, key: SealedClientKey) -> bool:
    try:
        _private(network, key)
    except CannotUnseal:
        return False
    return True


def _private(network: NetworkClients, key: SealedClientKey) -> p256.P256PrivateKey:
    return p256.P256PrivateKey(network.sealer.unseal(key.sealed, purpose_of(network.tenant, key.key_id)))


def _client(network: NetworkClients, client_id: str, key: SealedClientKey) -> OAuthClientIdentity:
    return OAuthClientIdentity(client_id, key.key_id, _private(network, key))


def _public(network: NetworkClients, key: SealedClientKey) -> dict[str, str]:
    public = _private(network, key).public
    return {**to_jwk(public), "kid": key.key_id, "use": "sig", "alg": public.algorithm}
