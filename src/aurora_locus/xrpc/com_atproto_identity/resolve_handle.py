"""Which DID a handle names."""

from at_protocol.syntax.handle import parse_handle
from aurora_locus.accounts import queries
from aurora_locus.accounts.registry import Registry
from aurora_locus.repository.model import Status
from aurora_locus.xrpc.method import Call, Outcome
from groundwork.errors import NotFound


async def run(registry: Registry, call: Call) -> Outcome:
    """Handles of accounts here, and all under our domains, from the database alone; others as the network has them.

    Raises NotFound (``HandleNotFound``); RemoteFailed or RemoteSlow where it cannot be known now.
    """
    handle = parse_handle(call.parameters["handle"])
    async with registry.db.reader() as reader:
        account = await queries.find_by_handle(reader, handle)
    if account is not None and account.status is Status.ACTIVE:
        return {"did": account.did}
    if account is None and not handle.endswith(tuple(registry.handle_domains)):
        return {"did": await registry.resolve_handle(handle)}
    raise NotFound(f"The handle {handle} does not resolve.", name="HandleNotFound")
