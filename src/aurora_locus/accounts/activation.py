"""An owner hides their account and comes back. The host's decisions stand above the owner's."""

from at_protocol.syntax.did import Did
from at_protocol.syntax.handle import Handle
from aurora_locus.accounts import queries
from aurora_locus.repository import hosting
from aurora_locus.repository.model import Status
from aurora_locus.repository.repositories import Repositories
from groundwork.clock import Instant
from groundwork.database.transaction import Writer
from groundwork.errors import Refused


def deactivate(w: Writer, repositories: Repositories, did: Did, delete_after: Instant | None) -> None:
    """Hide the account; announced again even when it is hidden already, so that who missed it can be told."""
    queries.set_deactivated(w, did, w.now, delete_after)
    if queries.host_decision(w, did) is None:
        hosting.set_status(w, repositories, did, Status.DEACTIVATED)


def activate(w: Writer, repositories: Repositories, did: Did, handle: Handle) -> None:
    """Show the account again. Raises Refused (``AccountTakedown``) where the host has decided otherwise."""
    if queries.host_decision(w, did) is not None:
        raise Refused("This account has been taken down; only the host can bring it back.", name="AccountTakedown")
    queries.set_deactivated(w, did, None, None)
    hosting.activate(w, repositories, did, handle)
