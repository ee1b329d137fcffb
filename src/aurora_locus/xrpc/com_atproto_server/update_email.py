"""Change the address of the account."""

from aurora_locus.accounts import email_changes
from aurora_locus.accounts.registry import Registry
from aurora_locus.xrpc.method import Call, Outcome
from groundwork.errors import Refused


async def run(registry: Registry, call: Call) -> Outcome:
    """Raises what :func:`email_changes.update` raises."""
    if call.body.get("emailAuthFactor"):
        raise Refused("This server has no second factor by e-mail.", name="InvalidRequest")
    await email_changes.update(registry, call.did, call.body["email"], call.body.get("token"))
    return None
