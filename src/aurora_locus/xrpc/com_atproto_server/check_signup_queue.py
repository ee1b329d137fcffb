"""Whether an account waits to be let in. Nobody waits here; apps ask all the same, before they show anything."""

from aurora_locus.xrpc.method import Outcome, XrpcCall


async def run(_call: XrpcCall) -> Outcome:
    """The same for everybody who is signed in."""
    return {"activated": True}
