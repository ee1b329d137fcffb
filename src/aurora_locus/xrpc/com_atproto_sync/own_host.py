"""The host that the sync methods describe: this server itself."""

from typing import Any

from aurora_locus.repository import reader
from aurora_locus.xrpc.enumeration import may_enumerate
from aurora_locus.xrpc.method import XrpcCall


async def describe_own_host(call: XrpcCall) -> dict[str, Any]:
    """Name, number of the newest event, and, for callers who may list accounts, their number."""
    host = call.host
    output: dict[str, Any] = {
        "hostname": host.crawling.hostname,
        "seq": host.repositories.live.buffer.head,
        "status": "active",
    }
    if may_enumerate(call):
        output["accountCount"] = await reader.count_repositories(host.db)
    return output
