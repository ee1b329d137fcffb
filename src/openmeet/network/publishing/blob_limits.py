"""How large a blob a PDS takes: what it states (``com.atproto.server.describeServer``, ``blobUploadLimit``), or has shown by refusing one.

Kept in the cache: forgotten, the server is asked again, or refuses again. A server that states nothing is believed to take whatever
we keep, until it says no.
"""

from typing import Final

from at_network.xrpc_client import XrpcClient
from groundwork.cache.contract import Cache
from groundwork.errors import Forbidden, InvalidInput, NotFound, NotSignedIn, Refused, Unavailable
from groundwork.telemetry.logs import log
from openmeet.domain.media.pictures import Picture
from openmeet.network.repositories.clients import Network

STATED_SECONDS: Final = 3600.0
LEARNED_SECONDS: Final = 24 * 3600.0
_UNSTATED: Final = b"-"


async def limit_for(network: Network, pds_url: str, picture: Picture | None) -> int | None:
    """How many bytes a picture has at most; None where nothing is known, or there is none, for which nobody is asked.

    Raises RemoteFailed and RemoteSlow where the server is away.
    """
    if picture is None:
        return None
    key = _key(pds_url)
    kept = await _get(network.cache, key)
    if kept is None:
        stated = await _stated(network, pds_url)
        kept = _UNSTATED if stated is None else str(stated).encode()
        await _put(network.cache, key, kept, STATED_SECONDS)
    return None if kept == _UNSTATED else int(kept)


async def learn_limit(network: Network, pds_url: str, limit: int) -> None:
    """It refused what is larger, whatever it states."""
    log.info("blob_limit.learned", pds=pds_url, limit=limit)
    await _put(network.cache, _key(pds_url), str(limit).encode(), LEARNED_SECONDS)


async def _stated(network: Network, pds_url: str) -> int | None:
    client = XrpcClient(network.http, network.clock, pds_url, circuits=network.circuits)
    try:
        said = (await client.query("com.atproto.server.describeServer")).get("blobUploadLimit")
    except (Forbidden, InvalidInput, NotFound, NotSignedIn, Refused):
        return None  # it tells nobody
    return said if isinstance(said, int) and not isinstance(said, bool) and said > 0 else None


def _key(pds_url: str) -> str:
    return f"blob-limit:{pds_url.rstrip('/')}"


async def _get(cache: Cache, key: str) -> bytes | None:
    try:
        return await cache.get(key)
    except Unavailable:
        return None


async def _put(cache: Cache, key: str, value: bytes, seconds: float) -> None:
    try:
        await cache.put(key, value, ttl_seconds=seconds)
    except Unavailable:
        log.warning("blob_limit.not_kept", key=key)
