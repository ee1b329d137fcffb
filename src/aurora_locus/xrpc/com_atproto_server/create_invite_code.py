"""Create an invite code. For the administration."""

from urllib.parse import urlsplit

from aurora_locus.moderation import account_actions
from aurora_locus.xrpc.authentication import AccessLevel
from aurora_locus.xrpc.com_atproto_admin.operator import audit_of
from aurora_locus.xrpc.method import Outcome, XrpcCall, procedure
from groundwork.errors import InvalidInput

MAX_USES = 1_000_000


async def create_invite_code(call: XrpcCall) -> Outcome:
    """Create an invite code that can be used for ``useCount`` accounts."""
    uses = require_uses(call.body["useCount"])
    owner = call.body.get("forAccount") or "admin"
    hostname = urlsplit(call.registry.url).netloc
    codes = await account_actions.create_codes(
        call.registry, audit_of(call), [owner], codes=1, uses=uses, hostname=hostname
    )
    return {"code": codes[owner][0]}


def require_uses(uses: int) -> int:
    """Return the number of uses; a negative number counts as 0, as in the reference server. Raises InvalidInput if
    there are too many.
    """
    if uses > MAX_USES:
        raise InvalidInput("useCount", f"A code can be used for at most {MAX_USES} accounts.")
    return max(uses, 0)


METHOD = procedure("com.atproto.server.createInviteCode", create_invite_code, AccessLevel.ADMIN)
