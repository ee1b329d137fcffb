"""Search for accounts by a part of their e-mail address."""

from at_protocol.syntax.did import Did
from aurora_locus.accounts import account_details
from aurora_locus.xrpc.authentication import AccessLevel
from aurora_locus.xrpc.com_atproto_admin.account_view import account_view
from aurora_locus.xrpc.method import Outcome, XrpcCall, query


async def search_accounts(call: XrpcCall) -> Outcome:
    """Return accounts whose address contains the search text, in the order of their DIDs; without a text, every
    account.
    """
    limit = call.parameters["limit"]
    email, cursor = call.parameters.get("email", ""), call.parameters.get("cursor", "")
    async with call.registry.db.reader() as reader:
        dids = await account_details.search_email(reader, email, after=Did(cursor), limit=limit)
        accounts = await account_details.find(reader, dids)
    response: dict[str, object] = {"accounts": [account_view(account) for account in accounts]}
    if len(dids) == limit:
        response["cursor"] = dids[-1]
    return response


METHOD = query("com.atproto.admin.searchAccounts", search_accounts, AccessLevel.MODERATOR)
