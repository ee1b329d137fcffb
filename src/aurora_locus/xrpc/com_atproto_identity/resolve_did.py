"""Return the document of a DID."""

import msgspec

from at_protocol.syntax.did import Did
from aurora_locus.xrpc.method import Outcome, XrpcCall, query


async def resolve_did(call: XrpcCall) -> Outcome:
    """Return the DID document unchanged. The handle in it is not verified."""
    document = await call.host.network.resolve_did(Did(call.parameters["did"]))
    return {"didDoc": msgspec.Raw(document.source)}


METHOD = query("com.atproto.identity.resolveDid", resolve_did)
