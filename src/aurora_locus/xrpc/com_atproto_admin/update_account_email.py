"""Set a new e-mail address for an account. Its owner must confirm it again."""

from aurora_locus.accounts.registry import Registry
from aurora_locus.moderation import account_actions
from aurora_locus.xrpc.com_atproto_admin.operator import account_named, audit_of
from aurora_locus.xrpc.method import Outcome, XrpcCall


async def run(registry: Registry, call: XrpcCall) -> Outcome:
    """Change the account's e-mail address. Raises what ``account_actions.change_email`` raises."""
    did = await account_named(registry, call.body["account"])
    await account_actions.change_email(registry, audit_of(call), did, call.body["email"])
    return None
