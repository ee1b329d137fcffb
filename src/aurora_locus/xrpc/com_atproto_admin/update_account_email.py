"""Set a new e-mail address for an account. Its owner must confirm it again."""

from aurora_locus.moderation import account_actions
from aurora_locus.xrpc.authentication import AccessLevel
from aurora_locus.xrpc.com_atproto_admin.operator import account_named, audit_of
from aurora_locus.xrpc.method import Outcome, XrpcCall, procedure


async def update_account_email(call: XrpcCall) -> Outcome:
    """Change the account's e-mail address. Raises what ``account_actions.change_email`` raises."""
    did = await account_named(call.registry, call.body["account"])
    await account_actions.change_email(call.registry, audit_of(call), did, call.body["email"])
    return None


METHOD = procedure("com.atproto.admin.updateAccountEmail", update_account_email, AccessLevel.ADMIN)
