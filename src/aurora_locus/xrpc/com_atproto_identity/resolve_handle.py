"""Return the DID that a handle names."""

from http import HTTPStatus

import msgspec

from at_protocol.failures import Malformed
from at_protocol.syntax.did import Did, parse_did
from at_protocol.syntax.handle import Handle, parse_handle
from at_protocol.syntax.nsid import Nsid
from aurora_locus.federation.upstream import read_whole
from aurora_locus.xrpc.authentication import AccessLevel
from aurora_locus.xrpc.com_atproto_identity.identities import did_of_handle
from aurora_locus.xrpc.method import Outcome, XrpcCall, query
from groundwork.errors import RemoteFailed, RemoteSlow

NSID = Nsid("com.atproto.identity.resolveHandle")


class _Resolved(msgspec.Struct):
    did: str


async def resolve_handle(call: XrpcCall) -> Outcome:
    """Return the DID of a handle.

    Handles of accounts on this server, and all handles under its domains, are looked up only in the database. Other
    handles are resolved over the network, or by the app view if the network gives no answer. Raises NotFound
    (``HandleNotFound``); RemoteFailed or RemoteSlow if it cannot be determined now.
    """
    handle = parse_handle(call.parameters["handle"])
    try:
        return {"did": await did_of_handle(call.registry, call.host.network, handle)}
    except (RemoteFailed, RemoteSlow):
        did = await _seen_by_app_view(call, handle)
        if did is None:
            raise
        return {"did": did}


async def _seen_by_app_view(call: XrpcCall, handle: Handle) -> Did | None:
    if call.host.proxying is None:
        return None
    try:
        reply = await call.host.proxying.ask_app_view(NSID, {"handle": handle})
        if reply is None:
            return None
        body = await read_whole(reply)
        return parse_did(msgspec.json.decode(body, type=_Resolved).did) if reply.status == HTTPStatus.OK else None
    except (RemoteFailed, RemoteSlow, Malformed, msgspec.DecodeError):
        return None  # the result from the network stays


METHOD = query("com.atproto.identity.resolveHandle", resolve_handle, AccessLevel.OPTIONAL_LENIENT)
