"""Whether an account waits for activation. There is no queue here; apps ask before they show anything."""

from aurora_locus.xrpc.method import Outcome, XrpcCall


async def run(_call: XrpcCall) -> Outcome:
    """Answer that the account is activated: there is no queue here."""
    return {"activated": True}
