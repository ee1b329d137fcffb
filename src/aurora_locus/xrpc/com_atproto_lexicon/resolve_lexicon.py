"""Return the Lexicon that the authority of an NSID currently publishes."""

import msgspec

from at_protocol.syntax.nsid import Nsid
from aurora_locus.xrpc.method import Outcome, XrpcCall, query
from groundwork.errors import NotFound


async def resolve_lexicon(call: XrpcCall) -> Outcome:
    """Return a Lexicon as its authority currently publishes it. Raises NotFound (``LexiconNotFound``), RemoteFailed and
    RemoteSlow.
    """
    nsid = Nsid(call.parameters["nsid"])
    lexicons = call.host.lexicons
    if lexicons is None:
        raise NotFound("This server does not resolve Lexicons.", name="LexiconNotFound")
    lexicon = await lexicons.resolve(nsid)
    return {"uri": lexicon.uri, "cid": str(lexicon.cid), "schema": msgspec.Raw(lexicon.schema)}


METHOD = query("com.atproto.lexicon.resolveLexicon", resolve_lexicon)
