"""Set a new signing key for an account's repository. The key must have been reserved on this server."""

from at_protocol.syntax.did import Did
from aurora_locus.moderation import account_actions
from aurora_locus.xrpc.authentication import AccessLevel
from aurora_locus.xrpc.com_atproto_admin.operator import audit_of
from aurora_locus.xrpc.method import Outcome, XrpcCall, procedure


async def update_account_signing_key(call: XrpcCall) -> Outcome:
    """Change the account's signing key. Raises what ``account_actions.change_signing_key`` raises."""
    await account_actions.change_signing_key(
        call.registry, audit_of(call), Did(call.body["did"]), call.body["signingKey"]
    )
    return None


METHOD = procedure("com.atproto.admin.updateAccountSigningKey", update_account_signing_key, AccessLevel.ADMIN)
