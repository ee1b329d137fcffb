"""Send the token that signPlcOperation takes to the account's e-mail address."""

from aurora_locus.accounts import email_changes
from aurora_locus.accounts.email_tokens import TokenPurpose
from aurora_locus.accounts.own_identity import account_of, require_plc
from aurora_locus.accounts.registry import Registry
from aurora_locus.xrpc.method import Outcome, XrpcCall


async def run(registry: Registry, call: XrpcCall) -> Outcome:
    """E-mail the token that signPlcOperation requires. Raises Refused for an account without an address, or an identity
    without operations.
    """
    require_plc(call.did)
    await email_changes.ask(registry, await account_of(registry, call.did), TokenPurpose.PLC_OPERATION)
    return None
