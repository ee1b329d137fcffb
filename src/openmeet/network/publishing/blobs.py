"""Pictures of events and groups as blobs. They were re-encoded on upload here, and are sent to the PDS before their
record.

If the PDS's limit is lower than our size, the picture is scaled down. If it cannot be made small enough, the record is
published without it, and its owner sees why.
"""

import asyncio
from dataclasses import dataclass
from typing import Final

from at_network.xrpc_client import XrpcClient
from at_protocol.data.cid import Cid
from groundwork.blobstore.contract import BlobStore
from groundwork.cache.contract import Cache
from groundwork.errors import (
    Explanation,
    Forbidden,
    InvalidInput,
    NotFound,
    NotSignedIn,
    Refused,
    RemoteFailed,
    TooLarge,
    Unavailable,
)
from groundwork.telemetry.logs import log
from openmeet.domain.media.pictures import Picture, PictureFormat, Size, blob_key, shrink
from openmeet.network.records.places import PictureToWrite
from openmeet.network.repositories.clients import NetworkClients
from openmeet.outbox.reasons import PublicationReason

# How long a limit is cached: one that the server states, and a lower one that was learned when it refused a picture.
_STATED_SECONDS: Final = 3600.0
_LOWER_LIMIT_SECONDS: Final = 24 * 3600.0
_UNSTATED: Final = b"-"


class PictureTooLarge(Exception):
    """The server refused a picture of ``size`` bytes."""

    def __init__(self, size: int) -> None:
        super().__init__(f"a picture of {size} bytes was refused")
        self.size = size


@dataclass(frozen=True, slots=True)
class Blob:
    """The blob reference for the record, and the bytes."""

    media: PictureToWrite
    body: bytes


@dataclass(frozen=True, slots=True)
class PictureToPublish:
    """The picture to publish, if any. ``reason`` is set if there is none because it was too large for the PDS. It is None
    if no picture was wanted, and also if the file is missing in our store.
    """

    blob: Blob | None
    reason: Explanation | None = None


NO_PICTURE = PictureToPublish(None)


async def picture_to_publish(
    store: BlobStore | None, picture: Picture | None, max_bytes: int | None
) -> PictureToPublish:
    """Return a public picture as a blob of at most ``max_bytes``."""
    if store is None or picture is None:
        return NO_PICTURE
    try:
        body = b"".join([piece async for piece in store.read(blob_key(picture.key, Size.LARGE))])
    except NotFound:
        # The record is published without the picture, regardless of the cause. The page cannot show the picture either.
        log.error("picture.missing", key=picture.key)
        return NO_PICTURE
    width, height = picture.width, picture.height
    if max_bytes is not None and len(body) > max_bytes:
        smaller = await asyncio.to_thread(shrink, body, max_bytes)
        if smaller is None:
            return PictureToPublish(None, PublicationReason.PICTURE_TOO_LARGE(limit=max_bytes))
        body, width, height = smaller
    return PictureToPublish(
        Blob(
            PictureToWrite(Cid.for_raw(body), PictureFormat.JPEG.content_type, len(body), picture.alt, width, height),
            body,
        )
    )


async def upload(client: XrpcClient, blob: Blob) -> None:
    """Upload the bytes to the PDS, which keeps them once a record refers to them. Idempotent.

    Raises PictureTooLarge if the PDS does not accept that many bytes, and the errors of the call.
    """
    try:
        response = await client.upload("com.atproto.repo.uploadBlob", blob.body, blob.media.mime_type)
    except TooLarge as refused:
        raise PictureTooLarge(len(blob.body)) from refused
    stored = response.get("blob")
    reference = stored.get("ref") if isinstance(stored, dict) else None
    cid = reference.get("$link") if isinstance(reference, dict) else None
    if cid != str(blob.media.cid):
        raise RemoteFailed(PublicationReason.OTHER_PICTURE_STORED)


async def max_picture_bytes_of(network: NetworkClients, pds_url: str, picture: Picture | None) -> int | None:
    """Return the maximum size of a picture in bytes; None if it is unknown or there is no picture (then no server is
    queried).

    Raises RemoteFailed and RemoteSlow if the server is unreachable.
    """
    if picture is None:
        return None
    key = _cache_key(pds_url)
    stored_limit = await _cached_limit(network.cache, key)
    if stored_limit is None:
        stated = await _stated_limit(network, pds_url)
        stored_limit = _UNSTATED if stated is None else str(stated).encode()
        await _cache_limit(network.cache, key, stored_limit, _STATED_SECONDS)
    return None if stored_limit == _UNSTATED else int(stored_limit)


async def store_lower_limit(network: NetworkClients, pds_url: str, max_bytes: int) -> None:
    """Remember a lower limit after the server refused a picture, regardless of the limit it states."""
    log.info("blob_limit.learned", pds=pds_url, limit=max_bytes)
    await _cache_limit(network.cache, _cache_key(pds_url), str(max_bytes).encode(), _LOWER_LIMIT_SECONDS)


async def _stated_limit(network: NetworkClients, pds_url: str) -> int | None:
    client = XrpcClient(network.http, network.clock, pds_url, circuits=network.circuits)
    try:
        limit = (await client.query("com.atproto.server.describeServer")).get("blobUploadLimit")
    except (Forbidden, InvalidInput, NotFound, NotSignedIn, Refused):
        return None  # the server does not state a limit
    return limit if isinstance(limit, int) and not isinstance(limit, bool) and limit > 0 else None


def _cache_key(pds_url: str) -> str:
    return f"blob-limit:{pds_url.rstrip('/')}"


async def _cached_limit(cache: Cache, key: str) -> bytes | None:
    """None if nothing is cached, or if the cache is unavailable: then the server is asked."""
    try:
        return await cache.get(key)
    except Unavailable:
        return None


async def _cache_limit(cache: Cache, key: str, value: bytes, seconds: float) -> None:
    try:
        await cache.put(key, value, ttl_seconds=seconds)
    except Unavailable:
        log.warning("blob_limit.not_kept", key=key)
