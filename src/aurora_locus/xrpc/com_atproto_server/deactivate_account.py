"""The owner hides the account; nothing is lost and it can come back."""

from at_protocol.syntax.datetime import parse_datetime
from aurora_locus.accounts import activation
from aurora_locus.accounts.registry import Registry
from aurora_locus.xrpc.method import Call, Outcome
from groundwork.clock import Instant


async def run(registry: Registry, call: Call) -> Outcome:
    """``deleteAfter`` says until when the owner may want to come back."""
    did = call.did
    text = call.body.get("deleteAfter")
    delete_after = None if text is None else Instant(parse_datetime(text))
    await registry.db.write(lambda w: activation.deactivate(w, registry.repositories, did, delete_after))
    return None
