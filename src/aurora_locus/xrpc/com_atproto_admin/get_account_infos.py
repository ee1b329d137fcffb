"""Return several accounts at once. Accounts of other servers are left out."""

from at_protocol.syntax.did import Did
from aurora_locus.accounts import account_details
from aurora_locus.xrpc.authentication import AccessLevel
from aurora_locus.xrpc.com_atproto_admin.account_view import account_view
from aurora_locus.xrpc.method import Outcome, XrpcCall, query
from groundwork.errors import InvalidInput

# A URL can hardly hold more than this.
MAX_ACCOUNTS = 200


async def get_account_infos(call: XrpcCall) -> Outcome:
    """Return these accounts in the order of their DIDs. Accounts of other servers are left out."""
    dids = list(dict.fromkeys(Did(did) for did in call.parameters["dids"]))
    if len(dids) > MAX_ACCOUNTS:
        raise InvalidInput("dids", f"Ask for at most {MAX_ACCOUNTS} accounts at once.")
    async with call.registry.db.reader() as reader:
        accounts = await account_details.find(reader, dids)
    return {"infos": [account_view(account) for account in accounts]}


METHOD = query("com.atproto.admin.getAccountInfos", get_account_infos, AccessLevel.MODERATOR)
