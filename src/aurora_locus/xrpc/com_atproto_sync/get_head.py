"""The root of a repository (deprecated: getLatestCommit also says its rev)."""

from at_protocol.syntax.did import Did
from aurora_locus.xrpc.method import XrpcCall, query
from aurora_locus.xrpc.target import visible_head


async def get_head(call: XrpcCall) -> dict[str, str]:
    """The commit's CID; errors are named as in getLatestCommit, as in the reference."""
    head = await visible_head(call, Did(call.parameters["did"]))
    return {"root": str(head.commit)}


METHOD = query("com.atproto.sync.getHead", get_head)
