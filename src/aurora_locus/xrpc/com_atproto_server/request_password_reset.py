"""E-mail a token for a new password. The response is the same whether an account has the address or not."""

from aurora_locus.accounts import password_reset
from aurora_locus.accounts.registry import Registry
from aurora_locus.xrpc.method import Outcome, XrpcCall


async def run(registry: Registry, call: XrpcCall) -> Outcome:
    """E-mail a reset token if an account has this address. Raises Refused only if this server sends no e-mail at all."""
    await password_reset.ask(registry, call.body["email"])
    return None
