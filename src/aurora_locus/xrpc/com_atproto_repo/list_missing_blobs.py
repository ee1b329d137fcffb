"""List blobs that the caller's records refer to but that this server does not have. A migration still has to upload
them.
"""

from typing import Any

from aurora_locus.blobs import queries
from aurora_locus.xrpc.authentication import AccessLevel
from aurora_locus.xrpc.method import XrpcCall, query
from aurora_locus.xrpc.target import cid_cursor


async def list_missing_blobs(call: XrpcCall) -> dict[str, Any]:
    """Return a page of CIDs, each with one record that refers to it."""
    limit = call.parameters["limit"]
    cursor = cid_cursor(call.parameters.get("cursor"))
    missing = await queries.list_missing(call.host.db, call.did, cursor=cursor, limit=limit)
    page: dict[str, Any] = {
        "blobs": [
            {"cid": str(cid), "recordUri": f"at://{call.did}/{collection}/{rkey}"} for cid, collection, rkey in missing
        ]
    }
    if len(missing) == limit:
        page["cursor"] = str(missing[-1][0])
    return page


METHOD = query("com.atproto.repo.listMissingBlobs", list_missing_blobs, AccessLevel.ACCESS)
