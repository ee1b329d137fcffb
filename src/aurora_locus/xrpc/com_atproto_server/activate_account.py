"""Reactivate the caller's account."""

from aurora_locus.accounts import activation, email_confirmation, hosting_status, queries
from aurora_locus.accounts.registry import Registry
from aurora_locus.xrpc.method import Outcome, XrpcCall
from groundwork.errors import Forbidden


async def run(registry: Registry, call: XrpcCall) -> Outcome:
    """Reactivate the caller's account. Raises Refused if it is taken down, or if its identity names another server."""
    did = call.did
    async with registry.db.reader() as reader:
        account = await queries.find(reader, did)
    if account is None:
        raise Forbidden("There is no such account on this server.", name="AccountNotFound")
    await registry.db.write(lambda w: email_confirmation.require_confirmed(w, did))
    await hosting_status.require_hosted_here(registry, did)
    await registry.db.write(lambda w: activation.activate(w, registry.repositories, did, account.handle))
    return None
