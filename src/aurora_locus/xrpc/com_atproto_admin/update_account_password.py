"""Another password for an account; every session of it ends."""

from at_protocol.syntax.did import Did
from aurora_locus.accounts.registry import Registry
from aurora_locus.moderation import account_acts
from aurora_locus.xrpc.com_atproto_admin.operator import deed_of
from aurora_locus.xrpc.method import Outcome, XrpcCall


async def run(registry: Registry, call: XrpcCall) -> Outcome:
    """Set the account's password. Raises what ``account_acts.set_password`` raises."""
    await account_acts.set_password(registry, deed_of(call), Did(call.body["did"]), call.body["password"])
    return None
