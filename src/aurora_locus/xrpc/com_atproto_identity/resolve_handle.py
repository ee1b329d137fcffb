"""Which DID a handle names."""

from at_protocol.syntax.handle import parse_handle
from aurora_locus.accounts import queries
from aurora_locus.accounts.registry import Registry
from aurora_locus.repository.model import Status
from aurora_locus.xrpc.method import Call, Outcome
from groundwork.errors import NotFound


async def run(registry: Registry, call: Call) -> Outcome:
    """Handles of accounts here, from the database alone: what is under our domains nobody else can answer."""
    handle = parse_handle(call.parameters["handle"])
    async with registry.db.reader() as reader:
        account = await queries.find_by_handle(reader, handle)
    if account is None or account.status is not Status.ACTIVE:
        raise NotFound(f"The handle {handle} does not resolve.", name="HandleNotFound")
    return {"did": account.did}
