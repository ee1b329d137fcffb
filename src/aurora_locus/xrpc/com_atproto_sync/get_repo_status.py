"""Return whether a repository is hosted on this server and may be seen. This works for inactive repositories too."""

from typing import Any

from at_protocol.syntax.did import Did
from aurora_locus.repository.model import HostingStatus
from aurora_locus.xrpc.authentication import AccessLevel
from aurora_locus.xrpc.method import XrpcCall, query


async def get_repo_status(call: XrpcCall) -> dict[str, Any]:
    """Return ``active`` with the rev, or the reason why it is not active."""
    head = await call.host.repositories.head(Did(call.parameters["did"]))
    if head.status is HostingStatus.ACTIVE:
        return {"did": head.did, "active": True, "rev": head.rev}
    return {"did": head.did, "active": False, "status": head.status.value}


METHOD = query("com.atproto.sync.getRepoStatus", get_repo_status, AccessLevel.OPTIONAL_LENIENT)
