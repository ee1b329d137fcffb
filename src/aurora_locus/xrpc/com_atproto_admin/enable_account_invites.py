"""Enable invites of an account again: it earns codes."""

from aurora_locus.moderation import account_actions
from aurora_locus.xrpc.authentication import AccessLevel
from aurora_locus.xrpc.com_atproto_admin.operator import account_named, audit_of
from aurora_locus.xrpc.method import Outcome, XrpcCall, procedure


async def enable_account_invites(call: XrpcCall) -> Outcome:
    """Let the account earn codes again. Raises NotFound if it is not on this server."""
    note = call.body.get("note")
    did = await account_named(call.registry, call.body["account"])
    await account_actions.allow_invites(call.registry, audit_of(call, note or ""), did, allowed=True, note=note)
    return None


METHOD = procedure("com.atproto.admin.enableAccountInvites", enable_account_invites, AccessLevel.MODERATOR)
