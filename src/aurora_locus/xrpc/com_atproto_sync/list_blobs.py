"""List the public blobs of a repository, or those that records written after a rev refer to."""

from typing import Any

from at_protocol.syntax.did import Did
from aurora_locus.blobs import queries
from aurora_locus.xrpc.method import XrpcCall, query
from aurora_locus.xrpc.target import cid_cursor, visible_head


async def list_blobs(call: XrpcCall) -> dict[str, Any]:
    """Return a page of CIDs, sorted."""
    parameters = call.parameters
    did = Did(parameters["did"])
    await visible_head(call, did)
    cids = await queries.list_public(
        call.host.db,
        did,
        since=parameters.get("since", ""),
        cursor=cid_cursor(parameters.get("cursor")),
        limit=parameters["limit"],
    )
    page: dict[str, Any] = {"cids": [str(cid) for cid in cids]}
    if len(cids) == parameters["limit"]:
        page["cursor"] = str(cids[-1])
    return page


METHOD = query("com.atproto.sync.listBlobs", list_blobs)
