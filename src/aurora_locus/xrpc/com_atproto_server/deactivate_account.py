"""The owner hides the account; nothing is lost and it can come back."""

from at_protocol.syntax.datetime import parse_datetime
from aurora_locus.accounts import activation, residence
from aurora_locus.accounts.registry import Registry
from aurora_locus.oauth import sessions
from aurora_locus.xrpc.method import Outcome, XrpcCall
from groundwork.clock import Instant
from groundwork.database.transaction import Writer


async def run(registry: Registry, call: XrpcCall) -> Outcome:
    """``deleteAfter`` says until when the owner may want to come back; see ``activation`` for the least time."""
    did = call.did
    text = call.body.get("deleteAfter")
    delete_after = None if text is None else Instant(parse_datetime(text))

    def work(w: Writer) -> None:
        # Apps were let in to an account that others can see. Announcing is the transaction's last act.
        sessions.end_all_now(w, did)
        activation.deactivate(w, registry.repositories, did, delete_after)

    await registry.db.write(work)
    # The last step of a move: now is the moment to see where the account lives.
    await residence.look(registry, did)
    return None
