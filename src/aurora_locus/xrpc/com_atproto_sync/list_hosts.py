"""List the known hosts. This server is not a relay, so the list has only itself."""

from typing import Any

from aurora_locus.xrpc.com_atproto_sync.own_host import describe_own_host
from aurora_locus.xrpc.method import XrpcCall, query
from aurora_locus.xrpc.target import bad_cursor


async def list_hosts(call: XrpcCall) -> dict[str, Any]:
    """Return a list with one entry: this host."""
    if "cursor" in call.parameters:
        raise bad_cursor()
    return {"hosts": [await describe_own_host(call)]}


METHOD = query("com.atproto.sync.listHosts", list_hosts)
