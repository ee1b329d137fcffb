"""Return individual blocks of a repository, by CID."""

from at_protocol.repo import car
from at_protocol.syntax.did import Did
from aurora_locus.repository.reader import load_blocks
from aurora_locus.xrpc.method import XrpcCall, XrpcResponse, query
from aurora_locus.xrpc.target import parse_cids, visible_head
from groundwork.errors import InvalidInput, NotFound

# The length of a URL allows no more than this anyway.
_MOST = 200


async def get_blocks(call: XrpcCall) -> XrpcResponse:
    """Return a CAR without roots, with the blocks in the requested order."""
    did = Did(call.parameters["did"])
    cids = parse_cids(call.parameters["cids"])
    if len(cids) > _MOST:
        raise InvalidInput("cids", f"{len(cids)} CIDs; at most {_MOST} can be requested at once.")
    await visible_head(call, did)
    blocks = await load_blocks(call.host.db, did, cids)
    missing = [str(cid) for cid in cids if cid not in blocks]
    if missing:
        raise NotFound(f"Could not find blocks: {', '.join(missing)}", name="BlockNotFound")
    return XrpcResponse(b"".join(car.write([], [(cid, blocks[cid]) for cid in cids])), car.MEDIA_TYPE)


METHOD = query("com.atproto.sync.getBlocks", get_blocks)
