"""Resolve a whole identity without the cache."""

from aurora_locus.accounts.registry import Registry
from aurora_locus.xrpc.com_atproto_identity.identities import identify
from aurora_locus.xrpc.method import Outcome, XrpcCall


async def run(registry: Registry, call: XrpcCall) -> Outcome:
    """Resolve an identity by DID or handle, without the cache. If one identity is requested too frequently, the result
    comes from the cache.
    """
    return await identify(registry, call.host.network, call.body["identifier"], fresh=True)
