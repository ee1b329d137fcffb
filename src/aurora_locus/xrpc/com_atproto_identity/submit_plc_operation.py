"""Submit an operation to the directory, if the account still works on this server after it."""

from aurora_locus.accounts import own_identity
from aurora_locus.accounts.limits import UPDATE_HANDLE, UPDATE_HANDLE_DAILY
from aurora_locus.identity.plc_requests import parse_submitted
from aurora_locus.xrpc.authentication import AccessLevel
from aurora_locus.xrpc.limits import per_account
from aurora_locus.xrpc.method import Outcome, XrpcCall, procedure


async def submit_plc_operation(call: XrpcCall) -> Outcome:
    """Submit a signed operation for the caller. Raises InvalidInput for an invalid one, and what
    ``own_identity.submit`` raises.
    """
    own_identity.require_plc(call.did)
    operation = parse_submitted(call.body["operation"])
    await own_identity.submit(call.registry, call.host.network, call.did, operation)
    return None


# Counted together with handle changes, which are submitted to the directory too.
METHOD = procedure(
    "com.atproto.identity.submitPlcOperation",
    submit_plc_operation,
    AccessLevel.ACCESS,
    charges=per_account(UPDATE_HANDLE, UPDATE_HANDLE_DAILY),
)
