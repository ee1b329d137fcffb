"""E-mail the token that confirms the address."""

from aurora_locus.accounts import email_changes, queries
from aurora_locus.accounts.email_tokens import TokenPurpose
from aurora_locus.accounts.registry import Registry
from aurora_locus.xrpc.method import Outcome, XrpcCall


async def run(registry: Registry, call: XrpcCall) -> Outcome:
    """E-mail the caller the token that confirms the address. Raises Refused if no e-mail can be sent."""
    account = await queries.require_account(registry.db, call.did)
    await email_changes.ask(registry, account, TokenPurpose.CONFIRM_EMAIL)
    return None
