"""The picture of an event or a group on its way to a repository: made anew when it was put up, uploaded before the record that names it.

Where the repository's server takes less than we keep, it is made smaller; where nothing that is still a picture is small enough, the
record goes without it, and says so to its owner.
"""

import asyncio
from dataclasses import dataclass

from at_network.xrpc_client import XrpcClient
from at_protocol.data.cid import Cid
from groundwork.blobstore.contract import BlobStore
from groundwork.errors import NotFound, RemoteFailed, TooLarge
from groundwork.telemetry.logs import log
from openmeet.domain.media.pictures import CONTENT_TYPE, Picture, Size, blob_key, shrunk
from openmeet.network.records.media import MediaOut
from openmeet.outbox.publications import WITHOUT_PICTURE


class PictureTooLarge(Exception):
    """The server refused a picture of ``size`` bytes."""

    def __init__(self, size: int) -> None:
        super().__init__(f"a picture of {size} bytes was refused")
        self.size = size


@dataclass(frozen=True, slots=True)
class Blob:
    """What the record says, and the bytes."""

    media: MediaOut
    body: bytes


@dataclass(frozen=True, slots=True)
class Outgoing:
    """The picture that goes, if any does. ``without``: why it does not, in words; empty where it does, or there is none."""

    blob: Blob | None
    without: str = ""


NO_PICTURE = Outgoing(None)


async def blob_of(store: BlobStore | None, picture: Picture | None, limit: int | None) -> Outgoing:
    """A picture that may go out, as a blob of at most ``limit`` bytes."""
    if store is None or picture is None:
        return NO_PICTURE
    try:
        body = b"".join([piece async for piece in store.read(blob_key(picture.key, Size.LARGE))])
    except NotFound:
        # Whoever lost it, the record is published without it; the page shows none either.
        log.error("picture.missing", key=picture.key)
        return NO_PICTURE
    width, height = picture.width, picture.height
    if limit is not None and len(body) > limit:
        smaller = await asyncio.to_thread(shrunk, body, limit)
        if smaller is None:
            return Outgoing(None, f"{WITHOUT_PICTURE}your server takes files of at most {limit:,} bytes")
        body, width, height = smaller
    return Outgoing(Blob(MediaOut(Cid.for_raw(body), CONTENT_TYPE, len(body), picture.alt, width, height), body))


async def upload(client: XrpcClient, blob: Blob) -> None:
    """Hand the bytes to the repository's server, which keeps them once a record names them. Twice is once.

    Raises PictureTooLarge where it takes no such amount, besides what the call raises.
    """
    try:
        answer = await client.upload("com.atproto.repo.uploadBlob", blob.body, blob.media.mime_type)
    except TooLarge as refused:
        raise PictureTooLarge(len(blob.body)) from refused
    stored = answer.get("blob")
    reference = stored.get("ref") if isinstance(stored, dict) else None
    cid = reference.get("$link") if isinstance(reference, dict) else None
    if cid != str(blob.media.cid):
        raise RemoteFailed("The PDS keeps another picture than was sent.")
