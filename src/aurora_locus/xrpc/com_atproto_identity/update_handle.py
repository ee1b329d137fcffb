"""Change the caller's handle: on this server, in the directory, and on the firehose."""

from aurora_locus.accounts import handle_change
from aurora_locus.accounts.limits import UPDATE_HANDLE, UPDATE_HANDLE_DAILY
from aurora_locus.xrpc.authentication import AccessLevel
from aurora_locus.xrpc.limits import per_account
from aurora_locus.xrpc.method import Outcome, XrpcCall, procedure


async def update_handle(call: XrpcCall) -> Outcome:
    """Change the caller's handle. Raises what ``handle_change.rename`` raises."""
    await handle_change.rename(call.registry, call.did, call.body["handle"])
    return None


METHOD = procedure(
    "com.atproto.identity.updateHandle",
    update_handle,
    AccessLevel.ACCESS,
    charges=per_account(UPDATE_HANDLE, UPDATE_HANDLE_DAILY),
)
