"""Disable individual invite codes, or all codes of some accounts."""

from aurora_locus.moderation import account_actions
from aurora_locus.xrpc.authentication import AccessLevel
from aurora_locus.xrpc.com_atproto_admin.operator import audit_of
from aurora_locus.xrpc.method import Outcome, XrpcCall, procedure
from groundwork.errors import InvalidInput

# Each entry is written to the audit log.
MAX_CODES = 1_000


async def disable_invite_codes(call: XrpcCall) -> Outcome:
    """Disable these codes, and all codes of these accounts.

    Raises InvalidInput for the account ``admin``, which would disable all codes of the administration at once; that is
    never intended.
    """
    codes, accounts = call.body.get("codes", []), call.body.get("accounts", [])
    if "admin" in accounts:
        raise InvalidInput("accounts", "The administration's codes cannot all be disabled at once. Name the codes.")
    if len(codes) + len(accounts) > MAX_CODES:
        raise InvalidInput("codes", f"Name at most {MAX_CODES} codes and accounts at once.")
    # PostgreSQL rejects a NUL in text, and no code contains one.
    codes, accounts = ([name for name in names if name.isprintable()] for names in (codes, accounts))
    await account_actions.disable_codes(call.registry, audit_of(call), codes, accounts)
    return None


METHOD = procedure("com.atproto.admin.disableInviteCodes", disable_invite_codes, AccessLevel.MODERATOR)
