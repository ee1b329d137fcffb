"""Return the root of a repository (deprecated: getLatestCommit also returns its rev)."""

from at_protocol.syntax.did import Did
from aurora_locus.xrpc.method import XrpcCall, query
from aurora_locus.xrpc.target import visible_head


async def get_head(call: XrpcCall) -> dict[str, str]:
    """Return the commit's CID. As in the reference server, errors have the same names as in getLatestCommit."""
    head = await visible_head(call, Did(call.parameters["did"]))
    return {"root": str(head.commit)}


METHOD = query("com.atproto.sync.getHead", get_head)
