"""Send a token for a new password; the answer is the same whether anybody has the address."""

from aurora_locus.accounts import password_reset
from aurora_locus.accounts.registry import Registry
from aurora_locus.xrpc.method import Outcome, XrpcCall


async def run(registry: Registry, call: XrpcCall) -> Outcome:
    """Raises Refused only where no mail can be sent at all."""
    await password_reset.ask(registry, call.body["email"])
    return None
