"""The invite codes that the caller may give to others. They are made by the administration; none is earned by waiting."""

from aurora_locus.accounts import invites
from aurora_locus.accounts.registry import Registry
from aurora_locus.xrpc.com_atproto_server.invite_view import invite_view
from aurora_locus.xrpc.method import Call, Outcome


async def run(registry: Registry, call: Call) -> Outcome:
    """``includeUsed`` false leaves out those that nobody can use any more."""
    async with registry.db.reader() as reader:
        codes = await invites.of_account(reader, call.did)
    return {"codes": [invite_view(code) for code in codes if code.left > 0 or call.parameters["includeUsed"]]}
