"""Resolve a whole identity, with its handle verified in both directions."""

from aurora_locus.xrpc.com_atproto_identity.identities import identify
from aurora_locus.xrpc.method import Outcome, XrpcCall, query


async def resolve_identity(call: XrpcCall) -> Outcome:
    """Return DID, DID document and verified handle, by DID or handle. The result is at most a day old."""
    return await identify(call.registry, call.host.network, call.parameters["identifier"], fresh=False)


METHOD = query("com.atproto.identity.resolveIdentity", resolve_identity)
