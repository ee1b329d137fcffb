"""Return the status of a host. This server is not a relay, so it has only its own status."""

from typing import Any

from aurora_locus.xrpc.com_atproto_sync.own_host import describe_own_host
from aurora_locus.xrpc.method import XrpcCall, query
from groundwork.errors import NotFound


async def get_host_status(call: XrpcCall) -> dict[str, Any]:
    """Return the status of this host. Raises NotFound (``HostNotFound``) for any other name."""
    if call.parameters["hostname"].lower() != call.host.crawl_requests.hostname:
        raise NotFound("This server is a PDS and does not crawl other hosts.", name="HostNotFound")
    return await describe_own_host(call)


METHOD = query("com.atproto.sync.getHostStatus", get_host_status)
