"""Cache of people's credentials, for at most an hour: ``{tenant}:bluesky:credentials:{user.id}``.

Entries are sealed like the row that they copy, so anyone who reads the cache (a Redis without a password) gets only
ciphertext. An entry is valid only for the current version of the row. After a sign-out, a refresh by another process or
a loss of the cache, the row in the database is read.
"""

import msgspec

from at_protocol.syntax.did import Did
from groundwork.errors import Unavailable
from groundwork.sealing import CannotUnseal
from groundwork.telemetry.logs import log
from openmeet.domain.users.model import UserId
from openmeet.network.repositories.clients import NetworkClients

TTL_SECONDS = 3600.0


class CachedCredentials(msgspec.Struct, frozen=True, rename="camel"):
    """The DID and the tokens. ``key``: private half of the key that they are bound to; empty if there is none."""

    did: str
    handle: str
    access_jwt: str
    refresh_jwt: str
    version: int
    key: bytes = b""


async def get(network: NetworkClients, user_id: UserId, did: Did, version: int) -> CachedCredentials | None:
    """Return the credentials of this version, if they are cached."""
    try:
        cached = await network.cache.get(_name(user_id))
    except Unavailable as away:
        log.warning("credentials_cache.unreachable", why=away.why)
        return None
    if cached is None:
        return None
    try:
        credentials = msgspec.json.decode(
            network.sealer.unseal(cached, _purpose(network, user_id)), type=CachedCredentials
        )
    except (CannotUnseal, msgspec.DecodeError):
        return None  # sealed with a key that was removed since, or written by somebody else
    return credentials if credentials.did == did and credentials.version == version else None


async def put(network: NetworkClients, user_id: UserId, credentials: CachedCredentials) -> None:
    """Cache credentials. If the cache is unreachable, the next use reads and unseals the row."""
    sealed = network.sealer.seal(msgspec.json.encode(credentials), _purpose(network, user_id))
    try:
        await network.cache.put(_name(user_id), sealed, ttl_seconds=TTL_SECONDS)
    except Unavailable as away:
        log.warning("credentials_cache.unreachable", why=away.why)


async def drop(network: NetworkClients, user_id: UserId) -> None:
    """Remove the credentials of a user who has signed out."""
    try:
        await network.cache.delete(_name(user_id))
    except Unavailable as away:
        log.warning("credentials_cache.unreachable", why=away.why)


def _name(user_id: UserId) -> str:
    return f"bluesky:credentials:{user_id}"  # the cache adds the tenant prefix


def _purpose(network: NetworkClients, user_id: UserId) -> str:
    return f"{network.tenant}:{_name(user_id)}"
