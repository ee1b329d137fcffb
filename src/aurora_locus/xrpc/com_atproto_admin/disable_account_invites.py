"""Disable the invite codes of an account until they are enabled again."""

from aurora_locus.accounts.registry import Registry
from aurora_locus.moderation import account_actions
from aurora_locus.xrpc.com_atproto_admin.operator import account_named, audit_of
from aurora_locus.xrpc.method import Outcome, XrpcCall


async def run(registry: Registry, call: XrpcCall) -> Outcome:
    """Disable the invite codes of the account. Raises NotFound if it is not on this server."""
    note = call.body.get("note")
    did = await account_named(registry, call.body["account"])
    await account_actions.allow_invites(registry, audit_of(call, note or ""), did, allowed=False, note=note)
    return None
