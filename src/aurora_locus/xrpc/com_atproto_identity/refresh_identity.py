"""A whole identity, asked for anew."""

from aurora_locus.accounts.registry import Registry
from aurora_locus.xrpc.com_atproto_identity.identities import identify
from aurora_locus.xrpc.method import Call, Outcome


async def run(registry: Registry, call: Call) -> Outcome:
    """By DID or handle. Whoever asks too often for one identity gets what was known a moment ago."""
    return await identify(registry, call.host.network, call.body["identifier"], anew=True)
