"""Return the caller's invite codes: those created by the administration, and those earned over time."""

from urllib.parse import urlsplit

from aurora_locus.accounts import invites
from aurora_locus.xrpc.authentication import AccessLevel
from aurora_locus.xrpc.com_atproto_server.invite_view import invite_view
from aurora_locus.xrpc.method import Outcome, XrpcCall, query


async def get_account_invite_codes(call: XrpcCall) -> Outcome:
    """Return the caller's invite codes. With ``createAvailable``, first create those earned since the last request.
    Disabled codes are left out, and without ``includeUsed`` also those that are used up.
    """
    registry = call.registry
    did = call.did
    if call.parameters["createAvailable"] and registry.earning.interval > 0:
        hostname = urlsplit(registry.url).netloc
        await registry.db.write(lambda w: invites.earn(w, registry.earning, did, hostname))
    async with registry.db.reader() as reader:
        codes = await invites.of_account(reader, did)
    with_used = call.parameters["includeUsed"]
    return {"codes": [invite_view(code) for code in codes if not code.is_disabled and (code.left > 0 or with_used)]}


METHOD = query("com.atproto.server.getAccountInviteCodes", get_account_invite_codes, AccessLevel.FULL_ACCESS)
