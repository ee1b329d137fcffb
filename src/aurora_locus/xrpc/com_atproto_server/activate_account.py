"""The owner comes back."""

from aurora_locus.accounts import activation, queries
from aurora_locus.accounts.registry import Registry
from aurora_locus.identity import plc_updates
from aurora_locus.xrpc.method import Call, Outcome
from groundwork.errors import Forbidden


async def run(registry: Registry, call: Call) -> Outcome:
    """Raises Refused for an account that the host has taken down, or whose identity says that it lives elsewhere."""
    did = call.did
    async with registry.db.reader() as reader:
        account = await queries.find(reader, did)
    if account is None:
        raise Forbidden("There is no such account on this server.", name="AccountNotFound")
    key = await registry.repositories.keys.signing_key(did)
    await plc_updates.require_hosted_here(registry.directory, registry.rotation_key, did, key.public, registry.url)
    await registry.db.write(lambda w: activation.activate(w, registry.repositories, did, account.handle))
    return None
