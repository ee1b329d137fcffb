"""E-mail the token that signPlcOperation requires to the account's address."""

from aurora_locus.accounts import email_changes, queries
from aurora_locus.accounts.email_tokens import TokenPurpose
from aurora_locus.accounts.limits import REQUEST_SIGNATURE
from aurora_locus.accounts.own_identity import require_plc
from aurora_locus.xrpc.authentication import AccessLevel
from aurora_locus.xrpc.limits import per_account
from aurora_locus.xrpc.method import Outcome, XrpcCall, procedure


async def request_plc_operation_signature(call: XrpcCall) -> Outcome:
    """E-mail the token that signPlcOperation requires. Raises Refused if the account has no address, or its identity
    has no operations.
    """
    require_plc(call.did)
    account = await queries.require_account(call.registry.db, call.did)
    await email_changes.send_token(call.registry, account, TokenPurpose.PLC_OPERATION)
    return None


METHOD = procedure(
    "com.atproto.identity.requestPlcOperationSignature",
    request_plc_operation_signature,
    AccessLevel.FULL_ACCESS,
    charges=per_account(*REQUEST_SIGNATURE),
)
