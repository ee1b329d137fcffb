"""Reactivate the caller's account."""

from aurora_locus.accounts import activation, queries
from aurora_locus.accounts.registry import Registry
from aurora_locus.xrpc.method import Outcome, XrpcCall


async def run(registry: Registry, call: XrpcCall) -> Outcome:
    """Reactivate the caller's account. Raises Refused if it is taken down, or if its identity names another server."""
    await activation.reactivate(registry, await queries.require_account(registry.db, call.did))
    return None
