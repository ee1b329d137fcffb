"""E-mail the token that confirms the address."""

from aurora_locus.accounts import email_changes, queries
from aurora_locus.accounts.email_tokens import TokenPurpose
from aurora_locus.accounts.limits import REQUEST_CONFIRMATION
from aurora_locus.xrpc.authentication import AccessLevel
from aurora_locus.xrpc.limits import per_account
from aurora_locus.xrpc.method import Outcome, XrpcCall, procedure


async def request_email_confirmation(call: XrpcCall) -> Outcome:
    """E-mail the caller the token that confirms the address. Raises Refused if no e-mail can be sent."""
    account = await queries.require_account(call.registry.db, call.did)
    await email_changes.send_token(call.registry, account, TokenPurpose.CONFIRM_EMAIL)
    return None


METHOD = procedure(
    "com.atproto.server.requestEmailConfirmation",
    request_email_confirmation,
    AccessLevel.ACCESS,
    charges=per_account(*REQUEST_CONFIRMATION),
)
