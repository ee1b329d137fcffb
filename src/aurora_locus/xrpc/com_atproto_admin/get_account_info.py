"""Return one account with its invite codes."""

from at_protocol.syntax.did import Did
from aurora_locus.accounts import account_details
from aurora_locus.xrpc.authentication import AccessLevel
from aurora_locus.xrpc.com_atproto_admin.account_view import account_view
from aurora_locus.xrpc.method import Outcome, XrpcCall, query
from groundwork.errors import NotFound


async def get_account_info(call: XrpcCall) -> Outcome:
    """Return the account with its invite codes. Raises NotFound if it is not on this server."""
    async with call.registry.db.reader() as reader:
        accounts = await account_details.find(reader, [Did(call.parameters["did"])])
    if not accounts:
        raise NotFound("There’s no such account on this server.", name="NotFound")
    return account_view(accounts[0])


METHOD = query("com.atproto.admin.getAccountInfo", get_account_info, AccessLevel.MODERATOR)
