"""Reactivate the caller's account."""

from aurora_locus.accounts import activation, queries
from aurora_locus.xrpc.authentication import AccessLevel
from aurora_locus.xrpc.method import Outcome, XrpcCall, procedure


async def activate_account(call: XrpcCall) -> Outcome:
    """Reactivate the caller's account. Raises Refused if it is taken down, or if its identity names another server."""
    await activation.reactivate(call.registry, await queries.require_account(call.registry.db, call.did))
    return None


METHOD = procedure("com.atproto.server.activateAccount", activate_account, AccessLevel.FULL_ACCESS)
