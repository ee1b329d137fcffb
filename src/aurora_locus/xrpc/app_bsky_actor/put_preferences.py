"""Replace the caller's private preferences."""

from functools import partial

from aurora_locus.accounts import preferences
from aurora_locus.xrpc.app_bsky_actor.get_preferences import NAMESPACE, has_full_access
from aurora_locus.xrpc.authentication import AccessLevel
from aurora_locus.xrpc.method import Outcome, XrpcCall, procedure

# The stored preferences have their own limit, which the error message names. This limit is higher because of white
# space.
_MAX_BYTES = 2 * preferences.MAX_BYTES


async def put_preferences(call: XrpcCall) -> Outcome:
    """Replace the caller's preferences. Raises what ``preferences.check_values`` raises; nothing is changed then."""
    did, is_full = call.did, has_full_access(call)
    check = partial(preferences.check_values, call.body["preferences"], NAMESPACE, has_full_access=is_full)
    values = await call.compute(check)
    await call.registry.db.write(lambda w: preferences.replace(w, did, NAMESPACE, values, has_full_access=is_full))
    return None


METHOD = procedure("app.bsky.actor.putPreferences", put_preferences, AccessLevel.ACCESS, max_body_bytes=_MAX_BYTES)
