"""Change the caller's handle: on this server, in the directory, and on the firehose."""

from aurora_locus.accounts import handle_change
from aurora_locus.accounts.registry import Registry
from aurora_locus.xrpc.method import Outcome, XrpcCall


async def run(registry: Registry, call: XrpcCall) -> Outcome:
    """Change the caller's handle. Raises what ``handle_change.rename`` raises."""
    await handle_change.rename(registry, call.did, call.body["handle"])
    return None
