"""Set a new password with an e-mailed token. Every session ends."""

from aurora_locus.accounts import password_reset
from aurora_locus.accounts.limits import RESET_PASSWORD
from aurora_locus.xrpc.authentication import AccessLevel
from aurora_locus.xrpc.limits import per_address
from aurora_locus.xrpc.method import Outcome, XrpcCall, procedure


async def reset_password(call: XrpcCall) -> Outcome:
    """Set a new password with the e-mailed token. Raises what ``password_reset.reset`` raises."""
    await password_reset.reset(call.registry, call.body["token"], call.body["password"], call.source)
    return None


METHOD = procedure(
    "com.atproto.server.resetPassword",
    reset_password,
    AccessLevel.OPTIONAL_LENIENT,
    charges=per_address(RESET_PASSWORD),
)
