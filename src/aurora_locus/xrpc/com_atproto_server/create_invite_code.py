"""A code that lets somebody make an account; for the administration."""

from urllib.parse import urlsplit

from aurora_locus.accounts import invites
from aurora_locus.accounts.registry import Registry
from aurora_locus.xrpc.method import Call, Outcome
from groundwork.errors import InvalidInput

MAX_USES = 1_000_000


async def run(registry: Registry, call: Call) -> Outcome:
    """``useCount`` accounts can be made with it."""
    uses = require_uses(call.body["useCount"])
    code = invites.fresh_code(urlsplit(registry.url).netloc)
    owner = call.body.get("forAccount") or "admin"
    await registry.db.write(lambda w: invites.create(w, code, uses=uses, for_account=owner, created_by="admin"))
    return {"code": code}


def require_uses(uses: int) -> int:
    """The same number. Raises InvalidInput where it invites nobody or everybody."""
    if not 1 <= uses <= MAX_USES:
        raise InvalidInput("useCount", f"A code is good for 1 to {MAX_USES} accounts.")
    return uses
