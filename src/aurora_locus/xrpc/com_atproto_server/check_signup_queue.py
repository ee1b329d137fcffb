"""Return whether an account is waiting for activation. There is no queue here, but apps call this before they show
anything.
"""

from aurora_locus.xrpc.method import Outcome, XrpcCall


async def run(_call: XrpcCall) -> Outcome:
    """Return that the account is activated, because there is no queue here."""
    return {"activated": True}
