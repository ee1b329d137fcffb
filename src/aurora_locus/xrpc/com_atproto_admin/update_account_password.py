"""Set a new password for an account. Every session of the account ends."""

from at_protocol.syntax.did import Did
from aurora_locus.moderation import account_actions
from aurora_locus.xrpc.authentication import AccessLevel
from aurora_locus.xrpc.com_atproto_admin.operator import audit_of
from aurora_locus.xrpc.method import Outcome, XrpcCall, procedure


async def update_account_password(call: XrpcCall) -> Outcome:
    """Set the account's password. Raises what ``account_actions.set_password`` raises."""
    await account_actions.set_password(call.registry, audit_of(call), Did(call.body["did"]), call.body["password"])
    return None


METHOD = procedure("com.atproto.admin.updateAccountPassword", update_account_password, AccessLevel.ADMIN)
