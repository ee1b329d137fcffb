"""The picture in a person's profile (``app.bsky.actor.profile``), fetched from their own PDS when they ask for it.

The HTTP client reaches only public addresses (invariant 7), the size is limited, and the bytes must match the CID.
"""

from at_network.xrpc_client import XrpcClient
from at_protocol.data.cid import Cid
from at_protocol.syntax.did import Did
from groundwork.errors import NotFound, Refused, RemoteFailed
from openmeet.domain.identities.model import PROFILE
from openmeet.domain.media.pictures import MAX_UPLOAD_BYTES
from openmeet.network.records.places import cid_of_blob
from openmeet.network.repositories.clients import NetworkClients
from openmeet.network.repositories.reasons import RepositoryReason


async def profile_picture(network: NetworkClients, did: Did) -> bytes:
    """Return the file as their PDS sent it, without decoding it, in any format.

    Raises Refused (``NoProfilePicture``), NotFound, RemoteFailed, RemoteSlow.
    """
    pds = (await network.dids.resolve(did)).pds
    if pds is None:
        raise NotFound(RepositoryReason.NO_PDS, did=did)
    client = XrpcClient(network.http, network.clock, pds, circuits=network.circuits)
    try:
        profile = await client.query("com.atproto.repo.getRecord", {"repo": did, "collection": PROFILE, "rkey": "self"})
    except NotFound:
        profile = {}
    record = profile.get("value")
    cid = cid_of_blob(record.get("avatar")) if isinstance(record, dict) else ""
    if not cid:
        raise Refused(RepositoryReason.NO_PROFILE_PICTURE, name="NoProfilePicture")
    blob = await client.download("com.atproto.sync.getBlob", {"did": did, "cid": cid}, max_bytes=MAX_UPLOAD_BYTES)
    if str(Cid.for_raw(blob.body)) != cid:
        raise RemoteFailed(RepositoryReason.OTHER_PICTURE, did=did)
    return blob.body
