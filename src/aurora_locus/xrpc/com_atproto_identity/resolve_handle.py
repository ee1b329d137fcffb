"""Which DID a handle names."""

from at_protocol.syntax.handle import parse_handle
from aurora_locus.accounts.registry import Registry
from aurora_locus.xrpc.com_atproto_identity.identities import did_of_handle
from aurora_locus.xrpc.method import Call, Outcome


async def run(registry: Registry, call: Call) -> Outcome:
    """Handles of accounts here, and all under our domains, from the database alone; others as the network has them.

    Raises NotFound (``HandleNotFound``); RemoteFailed or RemoteSlow where it cannot be known now.
    """
    handle = parse_handle(call.parameters["handle"])
    return {"did": await did_of_handle(registry, call.host.network, handle)}
