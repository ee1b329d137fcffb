"""An owner hides their account and comes back. The host's decisions stand above the owner's."""

from at_protocol.syntax.did import Did
from at_protocol.syntax.handle import Handle
from aurora_locus.accounts import confirming, queries
from aurora_locus.repository import hosting
from aurora_locus.repository.model import HostingStatus
from aurora_locus.repository.repositories import Repositories
from groundwork.clock import DAY, Instant
from groundwork.database.transaction import Writer
from groundwork.errors import Refused

# Deleting takes the password and a letter; hiding takes a session, which may be stolen. So the owner has at least this long to
# see it and come back: as long as the directory lets a change of the identity be undone (did:plc specification).
KEPT_AT_LEAST = 3 * DAY


def deactivate(w: Writer, repositories: Repositories, did: Did, delete_after: Instant | None) -> None:
    """Hide the account; announced again even when it is hidden already, so that who missed it can be told.

    ``delete_after`` is a wish: nothing is deleted sooner than ``KEPT_AT_LEAST`` from now. An account that was never shown stays
    as it is: nobody was told of it, and its time runs already.
    """
    if queries.waiting(w, did) is not None:
        return
    if delete_after is not None:
        delete_after = max(delete_after, Instant(w.now + KEPT_AT_LEAST))
    queries.set_deactivated(w, did, w.now, delete_after)
    if queries.host_decision(w, did) is None:
        hosting.set_status(w, repositories, did, HostingStatus.DEACTIVATED)


def activate(w: Writer, repositories: Repositories, did: Did, handle: Handle) -> None:
    """Show the account, again or, after a move, for the first time; its identity must name this server (``residence``).

    Raises Refused: ``AccountTakedown`` where the host has decided otherwise, and for an address that waits to be confirmed.
    """
    if queries.host_decision(w, did) is not None:
        raise Refused("This account has been taken down; only the host can bring it back.", name="AccountTakedown")
    confirming.require_confirmed(w, did)
    queries.set_shown(w, did)
    queries.set_moved(w, did, None)
    hosting.activate(w, repositories, did, handle)
