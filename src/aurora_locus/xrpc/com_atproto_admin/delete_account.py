"""Delete an account for good, whatever its owner says."""

from at_protocol.syntax.did import Did
from aurora_locus.accounts.registry import Registry
from aurora_locus.moderation import account_acts
from aurora_locus.xrpc.com_atproto_admin.operator import deed_of
from aurora_locus.xrpc.method import Outcome, XrpcCall


async def run(registry: Registry, call: XrpcCall) -> Outcome:
    """Delete the account for good. Raises NotFound for one that is not here."""
    await account_acts.delete(registry, deed_of(call), Did(call.body["did"]))
    return None
