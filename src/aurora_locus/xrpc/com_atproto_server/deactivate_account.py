"""Deactivate the caller's account. Nothing is lost, and it can be reactivated."""

from at_protocol.syntax.datetime import parse_datetime
from aurora_locus.accounts import activation, hosting_status
from aurora_locus.accounts.registry import Registry
from aurora_locus.oauth import sessions
from aurora_locus.xrpc.method import Outcome, XrpcCall
from groundwork.clock import Instant
from groundwork.database.transaction import Writer


async def run(registry: Registry, call: XrpcCall) -> Outcome:
    """Deactivate the caller's account. After ``deleteAfter`` it may be deleted; ``activation`` sets the earliest such
    time.
    """
    did = call.did
    text = call.body.get("deleteAfter")
    delete_after = None if text is None else Instant(parse_datetime(text))

    def work(w: Writer) -> None:
        # The owner authorized apps for a visible account. The announcement must be the last call in the transaction.
        sessions.end_all_now(w, did)
        activation.deactivate(w, registry.repositories, did, delete_after)

    await registry.db.write(work)
    # This is the last step of a migration, so check now which server the identity names.
    await hosting_status.recheck_identity(registry, did)
    return None
