"""Delete an account permanently, on behalf of the host."""

from at_protocol.syntax.did import Did
from aurora_locus.moderation import account_actions
from aurora_locus.xrpc.authentication import AccessLevel
from aurora_locus.xrpc.com_atproto_admin.operator import audit_of
from aurora_locus.xrpc.method import Outcome, XrpcCall, procedure


async def delete_account(call: XrpcCall) -> Outcome:
    """Delete the account permanently. Raises NotFound if it is not on this server."""
    await account_actions.delete(call.registry, audit_of(call), Did(call.body["did"]))
    return None


METHOD = procedure("com.atproto.admin.deleteAccount", delete_account, AccessLevel.ADMIN)
