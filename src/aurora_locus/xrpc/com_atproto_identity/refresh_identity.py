"""Resolve a whole identity without the cache."""

from aurora_locus.xrpc.authentication import AccessLevel
from aurora_locus.xrpc.com_atproto_identity.identities import identify
from aurora_locus.xrpc.method import Outcome, XrpcCall, procedure


async def refresh_identity(call: XrpcCall) -> Outcome:
    """Resolve an identity by DID or handle, without the cache. If one identity is requested too frequently, the result
    comes from the cache.
    """
    return await identify(call.registry, call.host.network, call.body["identifier"], fresh=True)


METHOD = procedure("com.atproto.identity.refreshIdentity", refresh_identity, AccessLevel.ACCESS)
