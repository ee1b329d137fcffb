"""Return the whole repository: the older name of getRepo (deprecated)."""

from at_protocol.repo.car import MEDIA_TYPE
from at_protocol.syntax.did import Did
from aurora_locus.repository.export import export
from aurora_locus.xrpc.method import XrpcCall, XrpcResponse, query
from aurora_locus.xrpc.target import visible_head


async def get_checkout(call: XrpcCall) -> XrpcResponse:
    """Return the whole repository as a CAR."""
    did = Did(call.parameters["did"])
    await visible_head(call, did)
    return XrpcResponse(export(call.host.repositories, did), MEDIA_TYPE)


METHOD = query("com.atproto.sync.getCheckout", get_checkout)
