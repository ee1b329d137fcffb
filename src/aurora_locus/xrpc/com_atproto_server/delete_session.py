"""Sign out. The refresh token, even an expired one, ends its session."""

from aurora_locus.accounts import sessions
from aurora_locus.xrpc.authentication import AccessLevel
from aurora_locus.xrpc.method import Outcome, XrpcCall, procedure
from groundwork.errors import NotSignedIn


async def delete_session(call: XrpcCall) -> Outcome:
    """End the session of the refresh token. Its access tokens stay valid until they expire, for at most two hours."""
    if call.caller is None or call.caller.refresh is None:
        raise NotSignedIn("Send the refresh token.", name="AuthMissing")
    token = call.caller.refresh
    await call.registry.db.write(lambda w: sessions.close_session(w, token))
    return None


METHOD = procedure("com.atproto.server.deleteSession", delete_session, AccessLevel.REFRESH)
