"""Exchange a refresh token for a new pair of tokens."""

from aurora_locus.accounts import queries, sessions
from aurora_locus.repository.model import OF_THE_HOST, HostingStatus
from aurora_locus.xrpc.authentication import AccessLevel
from aurora_locus.xrpc.com_atproto_server.session_view import session_view
from aurora_locus.xrpc.method import Outcome, XrpcCall, procedure
from groundwork.errors import NotSignedIn


async def refresh_session(call: XrpcCall) -> Outcome:
    """Exchange the refresh token for a new pair of tokens. Raises NotSignedIn: ``ExpiredToken`` if the session has
    ended, ``AccountTakedown``.
    """
    registry = call.registry
    if call.caller is None or call.caller.refresh is None:
        raise NotSignedIn("Send the refresh token.", name="AuthMissing")
    token = call.caller.refresh
    async with registry.db.reader() as reader:
        account = await queries.find(reader, token.did)
    if account is None or account.status is HostingStatus.DELETED:
        raise NotSignedIn("This session has ended. Sign in again.", name="ExpiredToken")
    if account.status in OF_THE_HOST:
        raise NotSignedIn("This account has been taken down.", name="AccountTakedown")
    pair = await registry.db.write(lambda w: sessions.refresh(w, registry.tokens, token))
    return {**await session_view(call.host, account), "accessJwt": pair.access, "refreshJwt": pair.refresh}


METHOD = procedure("com.atproto.server.refreshSession", refresh_session, AccessLevel.REFRESH)
