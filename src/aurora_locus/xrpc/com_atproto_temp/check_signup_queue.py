"""Return whether an account is waiting for activation. This server has no sign-up queue, but apps call this method
before they show anything.
"""

from aurora_locus.xrpc.authentication import AccessLevel
from aurora_locus.xrpc.method import Outcome, XrpcCall, query


async def check_signup_queue(_call: XrpcCall) -> Outcome:
    """Return that the account is activated, because this server has no sign-up queue."""
    return {"activated": True}


METHOD = query("com.atproto.temp.checkSignupQueue", check_signup_queue, AccessLevel.ACCESS)
