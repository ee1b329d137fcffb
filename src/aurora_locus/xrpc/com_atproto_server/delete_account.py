"""Delete an account permanently, with its password and an e-mailed token. No session is required."""

from at_protocol.syntax.did import Did
from aurora_locus.accounts import deletion
from aurora_locus.accounts.registry import Registry
from aurora_locus.xrpc.method import Outcome, XrpcCall


async def run(registry: Registry, call: XrpcCall) -> Outcome:
    """Delete the account permanently. Raises what ``deletion.delete_own`` raises."""
    await deletion.delete_own(registry, Did(call.body["did"]), call.body["password"], call.body["token"], call.source)
    return None
