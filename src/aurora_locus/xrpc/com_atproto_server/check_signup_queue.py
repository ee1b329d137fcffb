"""Whether an account waits for activation. There is no queue here; apps ask before they show anything."""

from aurora_locus.xrpc.method import Outcome, XrpcCall


async def run(_call: XrpcCall) -> Outcome:
    """Every account is activated: nobody waits here."""
    return {"activated": True}
