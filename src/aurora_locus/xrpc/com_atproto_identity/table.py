"""Method table of ``com.atproto.identity.*``."""

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
from aurora_locus.xrpc.method import Method

METHODS: tuple[Method, ...] = (
    get_recommended_did_credentials.METHOD,
    refresh_identity.METHOD,
    request_plc_operation_signature.METHOD,
    resolve_did.METHOD,
    resolve_handle.METHOD,
    resolve_identity.METHOD,
    sign_plc_operation.METHOD,
    submit_plc_operation.METHOD,
    update_handle.METHOD,
)
