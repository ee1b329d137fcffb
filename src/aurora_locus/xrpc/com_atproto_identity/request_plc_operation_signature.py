"""E-mail the token that signPlcOperation requires to the account's address."""

from aurora_locus.accounts import email_changes, queries
from aurora_locus.accounts.email_tokens import TokenPurpose
from aurora_locus.accounts.own_identity import require_plc
from aurora_locus.accounts.registry import Registry
from aurora_locus.xrpc.method import Outcome, XrpcCall


async def run(registry: Registry, call: XrpcCall) -> Outcome:
    """E-mail the token that signPlcOperation requires. Raises Refused if the account has no address, or its identity
    has no operations.
    """
    require_plc(call.did)
    account = await queries.require_account(registry.db, call.did)
    await email_changes.ask(registry, account, TokenPurpose.PLC_OPERATION)
    return None
