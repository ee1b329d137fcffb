"""A whole identity, its handle verified in both directions."""

from aurora_locus.accounts.registry import Registry
from aurora_locus.xrpc.com_atproto_identity.identities import identify
from aurora_locus.xrpc.method import Call, Outcome


async def run(registry: Registry, call: Call) -> Outcome:
    """By DID or handle, at most a day old."""
    return await identify(registry, call.host.network, call.parameters["identifier"], anew=False)
