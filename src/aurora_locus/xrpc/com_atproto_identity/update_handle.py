"""Change the caller's handle: here, in the directory, and on the firehose."""

from aurora_locus.accounts import renaming
from aurora_locus.accounts.registry import Registry
from aurora_locus.xrpc.method import Outcome, XrpcCall


async def run(registry: Registry, call: XrpcCall) -> Outcome:
    """Change the caller's handle. Raises what :func:`renaming.rename` raises."""
    await renaming.rename(registry, call.did, call.body["handle"])
    return None
