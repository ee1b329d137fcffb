"""E-mail a token for a new password. The response is the same whether an account has the address or not."""

from aurora_locus.accounts import password_reset
from aurora_locus.accounts.limits import REQUEST_PASSWORD_RESET
from aurora_locus.xrpc.authentication import AccessLevel
from aurora_locus.xrpc.limits import per_address
from aurora_locus.xrpc.method import Outcome, XrpcCall, procedure


async def request_password_reset(call: XrpcCall) -> Outcome:
    """E-mail a reset token if an account has this address. Raises Refused only if this server sends no e-mail at all."""
    await password_reset.send_token(call.registry, call.body["email"])
    return None


METHOD = procedure(
    "com.atproto.server.requestPasswordReset",
    request_password_reset,
    AccessLevel.OPTIONAL_LENIENT,
    charges=per_address(*REQUEST_PASSWORD_RESET),
)
