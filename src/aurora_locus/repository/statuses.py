"""Visibility of a repository by its hosting status, and the errors for hidden ones.

Inactive repositories are visible only to their owner and the host. The four error names are those of
``com.atproto.sync``. ``hosting`` and the accounts package set the status.
"""

from at_protocol.syntax.did import Did
from aurora_locus.repository.model import Head, HostingStatus
from groundwork.errors import NotFound, Refused, Unavailable

_REFUSALS = {
    HostingStatus.DEACTIVATED: ("RepoDeactivated", "This repository has been deactivated by its owner."),
    HostingStatus.SUSPENDED: ("RepoSuspended", "This repository has been suspended."),
    HostingStatus.TAKENDOWN: ("RepoTakendown", "This repository has been taken down."),
    HostingStatus.DELETED: ("RepoNotFound", "This repository has been deleted."),
}


def not_hosted(did: Did) -> NotFound:
    """The error for a repository that is not on this server."""
    return NotFound(f"There is no repository of {did} on this server.", name="RepoNotFound")


def import_running(did: Did) -> Unavailable:
    """The error for a repository whose next state is partly staged already."""
    return Unavailable(f"The repository of {did} is being imported at this moment. Try again in a minute.")


def require_writable(head: Head) -> None:
    """Raise NotFound or Refused unless the repository accepts commits."""
    require_visible(head)
    if head.is_frozen:
        raise Refused("This account is moving to another server; write there.", name="RepoDeactivated")


def require_importable(head: Head) -> None:
    """Raise NotFound or Refused unless a whole repository can be imported: into a repository that accepts commits, or a
    deactivated one, whose account is moving to this server, perhaps for the second time.
    """
    if head.status is not HostingStatus.DEACTIVATED:
        require_writable(head)


def require_visible(head: Head, *, reader_is_owner: bool = False) -> None:
    """Raise NotFound or Refused, with the error name of the Lexicons, unless the repository may be read."""
    if head.status is HostingStatus.ACTIVE or (reader_is_owner and head.status is not HostingStatus.DELETED):
        return
    name, why = _REFUSALS[head.status]
    if head.status is HostingStatus.DELETED:
        raise NotFound(why, name=name)
    raise Refused(why, name=name)
