"""The private preferences of the caller."""

from aurora_locus.accounts import preferences
from aurora_locus.accounts.model import Scope
from aurora_locus.accounts.registry import Registry
from aurora_locus.xrpc.method import Call, Outcome

NAMESPACE = "app.bsky"


async def run(registry: Registry, call: Call) -> Outcome:
    """An app password sees all but what tells the age."""
    async with registry.db.reader() as reader:
        values = await preferences.read(reader, call.did, NAMESPACE, has_full_access=has_full_access(call))
    return {"preferences": values}


def has_full_access(call: Call) -> bool:
    """Whether the session was opened with the account's own password."""
    return call.caller is not None and call.caller.scope is Scope.FULL
