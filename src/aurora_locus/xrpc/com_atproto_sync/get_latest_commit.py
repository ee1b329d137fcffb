"""Return the last commit of a repository."""

from at_protocol.syntax.did import Did
from aurora_locus.xrpc.method import XrpcCall, query
from aurora_locus.xrpc.target import visible_head


async def get_latest_commit(call: XrpcCall) -> dict[str, str]:
    """Return the CID and the rev of the last commit."""
    head = await visible_head(call, Did(call.parameters["did"]))
    return {"cid": str(head.commit), "rev": head.rev}


METHOD = query("com.atproto.sync.getLatestCommit", get_latest_commit)
