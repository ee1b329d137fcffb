"""Return the account that is signed in."""

from aurora_locus.accounts import queries
from aurora_locus.xrpc.authentication import AccessLevel
from aurora_locus.xrpc.com_atproto_server.session_view import session_view
from aurora_locus.xrpc.method import Outcome, XrpcCall, query
from aurora_locus.xrpc.permissions import may_read_email


async def get_session(call: XrpcCall) -> Outcome:
    """Return the caller's account. Any session of an account on this server may call this."""
    account = await queries.require_account(call.registry.db, call.did)
    return await session_view(call.host, account, shows_email=may_read_email(call.caller))


METHOD = query("com.atproto.server.getSession", get_session, AccessLevel.ACCESS)
