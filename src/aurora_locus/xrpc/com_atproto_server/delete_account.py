"""Delete an account permanently, with its password and an e-mailed token. No session is required."""

from at_protocol.syntax.did import Did
from aurora_locus.accounts import deletion
from aurora_locus.accounts.limits import DELETE_ACCOUNT
from aurora_locus.xrpc.authentication import AccessLevel
from aurora_locus.xrpc.limits import per_address
from aurora_locus.xrpc.method import Outcome, XrpcCall, procedure


async def delete_account(call: XrpcCall) -> Outcome:
    """Delete the account permanently. Raises what ``deletion.delete_own`` raises."""
    await deletion.delete_own(
        call.registry, Did(call.body["did"]), call.body["password"], call.body["token"], call.source
    )
    return None


METHOD = procedure(
    "com.atproto.server.deleteAccount",
    delete_account,
    AccessLevel.OPTIONAL_LENIENT,
    charges=per_address(DELETE_ACCOUNT),
)
