"""Return the identity fields that the caller needs to be hosted on this server. A migration passes them to the old
server.
"""

from at_protocol.syntax.did import is_plc
from aurora_locus.accounts import queries
from aurora_locus.accounts.own_identity import hosting_of
from aurora_locus.identity.plc_requests import recommended
from aurora_locus.xrpc.authentication import AccessLevel
from aurora_locus.xrpc.method import Outcome, XrpcCall, query


async def get_recommended_did_credentials(call: XrpcCall) -> Outcome:
    """Return the rotation keys, signing key, handle and PDS that the caller's identity needs to be hosted on this
    server.
    """
    account = await queries.require_account(call.registry.db, call.did)
    return recommended(await hosting_of(call.registry, account), is_plc=is_plc(account.did))


METHOD = query("com.atproto.identity.getRecommendedDidCredentials", get_recommended_did_credentials, AccessLevel.ACCESS)
