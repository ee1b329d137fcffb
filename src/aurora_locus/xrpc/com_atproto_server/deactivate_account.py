"""Deactivate the caller's account; nothing is lost and it can be reactivated."""

from at_protocol.syntax.datetime import parse_datetime
from aurora_locus.accounts import activation, hosting_status
from aurora_locus.accounts.registry import Registry
from aurora_locus.oauth import sessions
from aurora_locus.xrpc.method import Outcome, XrpcCall
from groundwork.clock import Instant
from groundwork.database.transaction import Writer


async def run(registry: Registry, call: XrpcCall) -> Outcome:
    """Deactivate the caller's account. ``deleteAfter`` is the deadline for coming back; ``activation`` has the minimum."""
    did = call.did
    text = call.body.get("deleteAfter")
    delete_after = None if text is None else Instant(parse_datetime(text))

    def work(w: Writer) -> None:
        # Apps were authorized for an account that others can see. Announcing is the transaction's last act.
        sessions.end_all_now(w, did)
        activation.deactivate(w, registry.repositories, did, delete_after)

    await registry.db.write(work)
    # The last step of a migration: check now where the account lives.
    await hosting_status.recheck_identity(registry, did)
    return None
