"""Whether strangers may list the host's accounts; reads of one named repository always work."""

from aurora_locus.xrpc.method import XrpcCall
from groundwork.errors import Forbidden


def require_enumerable(call: XrpcCall) -> None:
    """Raise Forbidden unless the operator allows it or is the caller."""
    if not may_enumerate(call):
        raise Forbidden("This server does not list its repositories (PDS_FEDERATION_CRAWL_ENABLED is off).")


def may_enumerate(call: XrpcCall) -> bool:
    """Whether this caller may list them."""
    return call.host.settings.can_be_enumerated or (call.caller is not None and call.caller.is_admin)
