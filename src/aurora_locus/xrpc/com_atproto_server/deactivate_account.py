"""Deactivate the caller's account. Nothing is lost, and it can be reactivated."""

from at_protocol.syntax.datetime import parse_datetime
from aurora_locus.accounts import activation, hosting_status
from aurora_locus.oauth import authorization
from aurora_locus.xrpc.authentication import AccessLevel
from aurora_locus.xrpc.method import Outcome, XrpcCall, procedure
from groundwork.clock import Instant
from groundwork.database.transaction import Writer


async def deactivate_account(call: XrpcCall) -> Outcome:
    """Deactivate the caller's account. After ``deleteAfter`` it may be deleted; ``activation`` sets the earliest such
    time.
    """
    registry, server = call.registry, call.host.authorization
    did = call.did
    text = call.body.get("deleteAfter")
    delete_after = None if text is None else Instant(parse_datetime(text))

    def work(w: Writer) -> None:
        # The owner authorized apps for a visible account. The announcement must be the last call in the transaction.
        if server is not None:
            authorization.revoke_sessions_of(server, w, did)
        activation.deactivate(w, registry.repositories, did, delete_after)

    await registry.db.write(work)
    # This is the last step of a migration, so check now which server the identity names.
    await hosting_status.recheck_identity(registry, did)
    return None


METHOD = procedure("com.atproto.server.deactivateAccount", deactivate_account, AccessLevel.FULL_ACCESS)
