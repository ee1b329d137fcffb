"""The root of a repository (deprecated: getLatestCommit also says its rev)."""

from at_protocol.syntax.did import Did
from aurora_locus.xrpc.method import Call, query
from aurora_locus.xrpc.target import visible_head
from groundwork.errors import NotFound, Refused


async def get_head(call: Call) -> dict[str, str]:
    """Answer the commit's CID; every refusal is HeadNotFound, the one error of this Lexicon."""
    try:
        head = await visible_head(call, Did(call.parameters["did"]))
    except (NotFound, Refused) as error:
        raise NotFound(error.why, name="HeadNotFound") from None
    return {"root": str(head.commit)}


METHOD = query("com.atproto.sync.getHead", get_head)
