"""Reactivate the caller's account."""

from aurora_locus.accounts import queries, reactivation
from aurora_locus.accounts.registry import Registry
from aurora_locus.xrpc.method import Outcome, XrpcCall
from groundwork.errors import Forbidden


async def run(registry: Registry, call: XrpcCall) -> Outcome:
    """Reactivate the caller's account. Raises Refused if it is taken down, or if its identity names another server."""
    did = call.did
    async with registry.db.reader() as reader:
        account = await queries.find(reader, did)
    if account is None:
        raise Forbidden("There’s no such account on this server.", name="AccountNotFound")
    await reactivation.reactivate(registry, account)
    return None
