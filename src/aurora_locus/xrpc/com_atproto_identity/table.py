"""Method table of ``com.atproto.identity.*``."""

from collections.abc import Awaitable, Callable
from functools import partial

from aurora_locus.accounts.limits import REQUEST_SIGNATURE, UPDATE_HANDLE, UPDATE_HANDLE_DAILY
from aurora_locus.accounts.registry import Registry
from aurora_locus.xrpc.authentication import Need
from aurora_locus.xrpc.com_atproto_identity import (
    get_recommended_did_credentials,
    refresh_identity,
    request_plc_operation_signature,
    resolve_did,
    resolve_handle,
    resolve_identity,
    sign_plc_operation,
    submit_plc_operation,
    update_handle,
)
from aurora_locus.xrpc.limits import per_account, with_limits
from aurora_locus.xrpc.method import Method, Outcome, Run, XrpcCall, procedure, query

_NAMES = "com.atproto.identity"

OfIdentities = Callable[[Registry, XrpcCall], Awaitable[Outcome]]


def methods(registry: Registry) -> list[Method]:
    """Return the methods of ``com.atproto.identity``, bound to the running server's registry."""

    def over(run: OfIdentities) -> Run:
        return partial(run, registry)

    rename = with_limits(registry, per_account(UPDATE_HANDLE, UPDATE_HANDLE_DAILY), over(update_handle.run))
    request = with_limits(registry, per_account(*REQUEST_SIGNATURE), over(request_plc_operation_signature.run))
    # Submissions to the directory count together with handle changes, which are submitted there too.
    submit = with_limits(registry, per_account(UPDATE_HANDLE, UPDATE_HANDLE_DAILY), over(submit_plc_operation.run))
    return [
        query(f"{_NAMES}.resolveHandle", over(resolve_handle.run), Need.ANYBODY),
        procedure(f"{_NAMES}.updateHandle", rename, Need.ACCESS),
        query(f"{_NAMES}.resolveDid", over(resolve_did.run)),
        query(f"{_NAMES}.resolveIdentity", over(resolve_identity.run)),
        procedure(f"{_NAMES}.refreshIdentity", over(refresh_identity.run), Need.ACCESS),
        query(f"{_NAMES}.getRecommendedDidCredentials", over(get_recommended_did_credentials.run), Need.ACCESS),
        procedure(f"{_NAMES}.requestPlcOperationSignature", request, Need.FULL_ACCESS),
        procedure(f"{_NAMES}.signPlcOperation", over(sign_plc_operation.run), Need.FULL_ACCESS),
        procedure(f"{_NAMES}.submitPlcOperation", submit, Need.ACCESS),
    ]
