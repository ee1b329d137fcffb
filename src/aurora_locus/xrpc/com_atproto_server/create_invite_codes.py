"""Create several invite codes at once, for several accounts. For the administration."""

from urllib.parse import urlsplit

from aurora_locus.moderation import account_actions
from aurora_locus.xrpc.authentication import AccessLevel
from aurora_locus.xrpc.com_atproto_admin.operator import audit_of
from aurora_locus.xrpc.com_atproto_server.create_invite_code import require_uses
from aurora_locus.xrpc.method import Outcome, XrpcCall, procedure
from groundwork.errors import InvalidInput

MAX_CODES = 1_000


async def create_invite_codes(call: XrpcCall) -> Outcome:
    """Create ``codeCount`` invite codes for each of ``forAccounts``. Each code can be used for ``useCount`` accounts."""
    uses = require_uses(call.body["useCount"])
    amount = call.body["codeCount"]
    accounts = list(dict.fromkeys(call.body.get("forAccounts", ["admin"])))
    if amount < 1 or amount * len(accounts) > MAX_CODES:
        raise InvalidInput("codeCount", f"Ask for 1 to {MAX_CODES} codes at once.")
    hostname = urlsplit(call.registry.url).netloc
    codes_by_account = await account_actions.create_codes(
        call.registry, audit_of(call), accounts, codes=amount, uses=uses, hostname=hostname
    )
    return {"codes": [{"account": account, "codes": codes} for account, codes in codes_by_account.items()]}


METHOD = procedure("com.atproto.server.createInviteCodes", create_invite_codes, AccessLevel.ADMIN)
