"""Method table of ``app.bsky.actor.*``."""

from functools import partial

from aurora_locus.accounts.preferences import MAX_BYTES
from aurora_locus.accounts.registry import Registry
from aurora_locus.xrpc.app_bsky_actor import get_preferences, put_preferences
from aurora_locus.xrpc.authentication import Need
from aurora_locus.xrpc.method import Method, procedure, query

# The stored preferences have their own limit, which the error message names. This limit is higher because of white
# space.
_PREFERENCES_BYTES = 2 * MAX_BYTES


def methods(registry: Registry) -> list[Method]:
    """The methods of ``app.bsky.actor`` that this server answers itself."""
    put = partial(put_preferences.run, registry)
    return [
        query("app.bsky.actor.getPreferences", partial(get_preferences.run, registry), Need.ACCESS),
        procedure("app.bsky.actor.putPreferences", put, Need.ACCESS, max_body_bytes=_PREFERENCES_BYTES),
    ]
