"""A code that lets somebody make an account; for the administration."""

from urllib.parse import urlsplit

from aurora_locus.accounts import invites
from aurora_locus.accounts.registry import Registry
from aurora_locus.xrpc.method import Call, Outcome
from groundwork.errors import InvalidInput

MAX_USES = 1_000_000


async def run(registry: Registry, call: Call) -> Outcome:
    """``useCount`` accounts can be made with it."""
    uses = call.body["useCount"]
    if not 1 <= uses <= MAX_USES:
        raise InvalidInput("useCount", f"A code is good for 1 to {MAX_USES} accounts.")
    code = invites.fresh_code(urlsplit(registry.url).netloc)
    owner = call.body.get("forAccount") or "admin"
    await registry.db.write(lambda w: invites.create(w, code, uses=uses, for_account=owner, created_by="admin"))
    return {"code": code}
