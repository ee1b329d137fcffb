"""A new account with a new did:plc."""

from aurora_locus.accounts import creation
from aurora_locus.accounts.creation import Wish
from aurora_locus.accounts.registry import Registry
from aurora_locus.xrpc.method import Call, Outcome
from groundwork.errors import Refused


async def run(registry: Registry, call: Call) -> Outcome:
    """Raises what :func:`creation.create` raises."""
    body = call.body
    if body.get("did") is not None:
        raise Refused("This server makes new identities only; it takes no existing DID.", name="IncompatibleDidDoc")
    if body.get("plcOp") is not None:
        raise Refused("This server signs the first operation of its accounts itself.", name="InvalidRequest")
    made = await creation.create(
        registry,
        Wish(body["handle"], body.get("email"), body.get("password"), body.get("inviteCode"), body.get("recoveryKey")),
    )
    return {
        "did": made.did,
        "handle": made.handle,
        "accessJwt": made.tokens.access,
        "refreshJwt": made.tokens.refresh,
    }
