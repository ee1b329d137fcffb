"""A whole identity, asked for anew."""

from aurora_locus.accounts.registry import Registry
from aurora_locus.xrpc.com_atproto_identity.identities import identify
from aurora_locus.xrpc.method import Outcome, XrpcCall


async def run(registry: Registry, call: XrpcCall) -> Outcome:
    """By DID or handle. Whoever asks too often for one identity gets what was known a moment ago."""
    return await identify(registry, call.host.network, call.body["identifier"], anew=True)
