"""Set a new password with an e-mailed token. Every session ends."""

from aurora_locus.accounts import password_reset
from aurora_locus.accounts.registry import Registry
from aurora_locus.xrpc.method import Outcome, XrpcCall


async def run(registry: Registry, call: XrpcCall) -> Outcome:
    """Set a new password with the e-mailed token. Raises what ``password_reset.reset`` raises."""
    await password_reset.reset(registry, call.body["token"], call.body["password"], call.source)
    return None
