"""Disable invites of an account: it earns no codes until they are enabled again."""

from aurora_locus.moderation import account_actions
from aurora_locus.xrpc.authentication import AccessLevel
from aurora_locus.xrpc.com_atproto_admin.operator import account_named, audit_of
from aurora_locus.xrpc.method import Outcome, XrpcCall, procedure


async def disable_account_invites(call: XrpcCall) -> Outcome:
    """Let the account earn no more codes. Its codes stay valid. Raises NotFound if it is not on this server."""
    note = call.body.get("note")
    did = await account_named(call.registry, call.body["account"])
    await account_actions.allow_invites(call.registry, audit_of(call, note or ""), did, allowed=False, note=note)
    return None


METHOD = procedure("com.atproto.admin.disableAccountInvites", disable_account_invites, AccessLevel.MODERATOR)
