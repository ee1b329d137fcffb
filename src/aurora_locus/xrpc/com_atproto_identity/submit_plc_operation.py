"""Submit an operation to the directory, if the account still works on this server after it."""

from aurora_locus.accounts import own_identity
from aurora_locus.accounts.registry import Registry
from aurora_locus.identity.plc_requests import parse_submitted
from aurora_locus.xrpc.method import Outcome, XrpcCall


async def run(registry: Registry, call: XrpcCall) -> Outcome:
    """Submit a signed operation for the caller. Raises InvalidInput for an invalid one, and what
    ``own_identity.submit`` raises.
    """
    own_identity.require_plc(call.did)
    operation = parse_submitted(call.body["operation"])
    await own_identity.submit(registry, call.host.network, call.did, operation)
    return None
