"""E-mail the token that is required to delete the account."""

from aurora_locus.accounts import email_changes, queries
from aurora_locus.accounts.email_tokens import TokenPurpose
from aurora_locus.accounts.limits import REQUEST_DELETION
from aurora_locus.xrpc.authentication import AccessLevel
from aurora_locus.xrpc.limits import per_account
from aurora_locus.xrpc.method import Outcome, XrpcCall, procedure


async def request_account_delete(call: XrpcCall) -> Outcome:
    """E-mail the caller the token that deletes the account. Raises Refused if no e-mail can be sent."""
    account = await queries.require_account(call.registry.db, call.did)
    await email_changes.send_token(call.registry, account, TokenPurpose.DELETE_ACCOUNT)
    return None


METHOD = procedure(
    "com.atproto.server.requestAccountDelete",
    request_account_delete,
    AccessLevel.FULL_ACCESS,
    charges=per_account(*REQUEST_DELETION),
)
