"""Set a new handle for an account, in the directory and on this server."""

from at_protocol.syntax.did import Did
from aurora_locus.moderation import account_actions
from aurora_locus.xrpc.authentication import AccessLevel
from aurora_locus.xrpc.com_atproto_admin.operator import audit_of
from aurora_locus.xrpc.method import Outcome, XrpcCall, procedure


async def update_account_handle(call: XrpcCall) -> Outcome:
    """Change the account's handle. Raises what ``account_actions.change_handle`` raises."""
    await account_actions.change_handle(call.registry, audit_of(call), Did(call.body["did"]), call.body["handle"])
    return None


METHOD = procedure("com.atproto.admin.updateAccountHandle", update_account_handle, AccessLevel.ADMIN)
