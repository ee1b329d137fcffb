"""A whole identity, bypassing the cache."""

from aurora_locus.accounts.registry import Registry
from aurora_locus.xrpc.com_atproto_identity.identities import identify
from aurora_locus.xrpc.method import Outcome, XrpcCall


async def run(registry: Registry, call: XrpcCall) -> Outcome:
    """Resolve an identity, by DID or handle, without the cache. Requests too frequent for one identity get the cached
    result.
    """
    return await identify(registry, call.host.network, call.body["identifier"], fresh=True)
