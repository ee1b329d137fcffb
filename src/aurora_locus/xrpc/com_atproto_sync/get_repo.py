"""Return a whole repository as a CAR, or what was added after a rev. The response is streamed."""

from at_protocol.repo.car import MEDIA_TYPE
from at_protocol.syntax.did import Did
from at_protocol.syntax.tid import Tid
from aurora_locus.repository.export import export
from aurora_locus.xrpc.method import XrpcCall, XrpcResponse, query
from aurora_locus.xrpc.target import visible_head


async def get_repo(call: XrpcCall) -> XrpcResponse:
    """Return the CAR. Owners may also export while deactivated or taken down, so that they can move away."""
    did = Did(call.parameters["did"])
    await visible_head(call, did)
    since = call.parameters.get("since")
    return XrpcResponse(export(call.host.repositories, did, None if since is None else Tid(since)), MEDIA_TYPE)


METHOD = query("com.atproto.sync.getRepo", get_repo)
