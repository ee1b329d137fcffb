"""The picture of an event or a group on its way to a repository: made anew when it was put up, uploaded before the record that names it."""

from dataclasses import dataclass

from at_network.xrpc_client import XrpcClient
from at_protocol.data.cid import Cid
from groundwork.blobstore.contract import BlobStore
from groundwork.errors import NotFound, RemoteFailed
from groundwork.telemetry.logs import log
from openmeet.media.model import CONTENT_TYPE, Picture, Size, blob_key
from openmeet.records.media import MediaOut


@dataclass(frozen=True, slots=True)
class Blob:
    """What the record says, and the bytes."""

    media: MediaOut
    body: bytes


async def blob_of(store: BlobStore | None, picture: Picture | None) -> Blob | None:
    """A picture that may go out, as a blob; None for none."""
    if store is None or picture is None:
        return None
    try:
        body = b"".join([piece async for piece in store.read(blob_key(picture.key, Size.LARGE))])
    except NotFound:
        # Whoever lost it, the record is published without it; the page shows none either.
        log.error("picture.missing", key=picture.key)
        return None
    media = MediaOut(Cid.for_raw(body), CONTENT_TYPE, len(body), picture.alt, picture.width, picture.height)
    return Blob(media, body)


async def upload(client: XrpcClient, blob: Blob) -> None:
    """Hand the bytes to the repository's server, which keeps them once a record names them. Twice is once."""
    answer = await client.upload("com.atproto.repo.uploadBlob", blob.body, blob.media.mime_type)
    stored = answer.get("blob")
    reference = stored.get("ref") if isinstance(stored, dict) else None
    cid = reference.get("$link") if isinstance(reference, dict) else None
    if cid != str(blob.media.cid):
        raise RemoteFailed("The PDS keeps another picture than was sent.")
