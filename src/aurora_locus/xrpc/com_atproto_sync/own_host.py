"""Description of the host in the sync methods: this server itself."""

from typing import Any

from aurora_locus.repository import reader
from aurora_locus.xrpc.enumeration import may_enumerate
from aurora_locus.xrpc.method import XrpcCall


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
