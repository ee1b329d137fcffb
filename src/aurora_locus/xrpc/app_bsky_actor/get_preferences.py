"""Return the caller's private preferences."""

from aurora_locus.accounts import preferences
from aurora_locus.accounts.model import SessionScope
from aurora_locus.xrpc.authentication import AccessLevel
from aurora_locus.xrpc.method import Outcome, XrpcCall, query

NAMESPACE = "app.bsky"


async def get_preferences(call: XrpcCall) -> Outcome:
    """Return the caller's preferences. App passwords see a person's age groups, but not the date of birth."""
    values = await preferences.read_with_age(
        call.registry.db, call.did, NAMESPACE, now=call.registry.clock.now(), has_full_access=has_full_access(call)
    )
    return {"preferences": values}


def has_full_access(call: XrpcCall) -> bool:
    """Whether the session was opened with the account's own password."""
    return call.caller is not None and call.caller.scope is SessionScope.FULL


METHOD = query("app.bsky.actor.getPreferences", get_preferences, AccessLevel.ACCESS)
