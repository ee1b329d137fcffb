"""The host in the sync methods is this server itself: its description, and whether anybody may list its accounts. Reading
one named repository is always allowed.
"""

from typing import Any

from aurora_locus.repository import reader
from aurora_locus.xrpc.method import XrpcCall
from groundwork.errors import Forbidden


async def describe_own_host(call: XrpcCall) -> dict[str, Any]:
    """Return the host's name, the number of the newest event, and, for callers who may list accounts, the number of
    accounts.
    """
    host = call.host
    output: dict[str, Any] = {
        "hostname": host.crawl_requests.hostname,
        "seq": host.repositories.live.buffer.head,
        "status": "active",
    }
    if may_enumerate(call):
        output["accountCount"] = await reader.count_repositories(host.db)
    return output


def require_enumerable(call: XrpcCall) -> None:
    """Raise Forbidden unless the operator allows listing accounts or is the caller."""
    if not may_enumerate(call):
        raise Forbidden("This server does not list its repositories (PDS_FEDERATION_CRAWL_ENABLED is off).")


def may_enumerate(call: XrpcCall) -> bool:
    """Whether this caller may list the host's accounts."""
    return call.host.settings.can_be_enumerated or (call.caller is not None and call.caller.is_admin)
