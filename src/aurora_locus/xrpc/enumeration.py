"""Whether anybody may list the host's accounts. Reading one named repository is always allowed."""

from aurora_locus.xrpc.method import XrpcCall
from groundwork.errors import Forbidden


def require_enumerable(call: XrpcCall) -> None:
    """Raise Forbidden unless the operator allows listing accounts or is the caller."""
    if not may_enumerate(call):
        raise Forbidden("This server does not list its repositories (PDS_FEDERATION_CRAWL_ENABLED is off).")


def may_enumerate(call: XrpcCall) -> bool:
    """Whether this caller may list the host's accounts."""
    return call.host.settings.can_be_enumerated or (call.caller is not None and call.caller.is_admin)
