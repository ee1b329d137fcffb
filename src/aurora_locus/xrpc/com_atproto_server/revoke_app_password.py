"""End an app password and the sessions that were opened with it."""

from aurora_locus.accounts import app_passwords
from aurora_locus.accounts.registry import Registry
from aurora_locus.xrpc.method import Outcome, XrpcCall


async def run(registry: Registry, call: XrpcCall) -> Outcome:
    """A name that nothing has is as good as revoked."""
    did, name = call.did, call.body["name"].strip()
    # PostgreSQL cannot even be asked for a NUL, and no app password is called so.
    if name.isprintable():
        await registry.db.write(lambda w: app_passwords.revoke(w, did, name))
    return None
