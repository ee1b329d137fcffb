"""Return whether changing the address requires a token. A confirmed address requires a token sent to it. An unconfirmed
one requires a code of the second factor, if there is one, otherwise nothing.
"""

from aurora_locus.accounts import email_changes, queries
from aurora_locus.accounts.email_tokens import TokenPurpose
from aurora_locus.accounts.limits import REQUEST_EMAIL_UPDATE
from aurora_locus.xrpc.authentication import AccessLevel
from aurora_locus.xrpc.limits import per_account
from aurora_locus.xrpc.method import Outcome, XrpcCall, procedure


async def request_email_update(call: XrpcCall) -> Outcome:
    """Return whether changing the address requires a token, and e-mail it to a confirmed address. Raises Refused if no
    e-mail can be sent.
    """
    registry = call.registry
    account = await queries.require_account(registry.db, call.did)
    if account.email_confirmed_at is None:
        return {"tokenRequired": await email_changes.needs_token(registry, account)}
    await email_changes.send_token(registry, account, TokenPurpose.UPDATE_EMAIL)
    return {"tokenRequired": True}


METHOD = procedure(
    "com.atproto.server.requestEmailUpdate",
    request_email_update,
    AccessLevel.FULL_ACCESS,
    charges=per_account(*REQUEST_EMAIL_UPDATE),
)
