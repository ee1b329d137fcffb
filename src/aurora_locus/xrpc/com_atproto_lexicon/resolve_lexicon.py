"""Return the Lexicon that the authority of an NSID currently publishes."""

from at_protocol.data import json_form
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
    return {"uri": lexicon.uri, "cid": str(lexicon.cid), "schema": json_form.to_json(lexicon.record)}


METHOD = query("com.atproto.lexicon.resolveLexicon", resolve_lexicon)
