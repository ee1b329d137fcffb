"""Revoke an app password and end the sessions that were opened with it."""

from aurora_locus.accounts import app_passwords
from aurora_locus.accounts.registry import Registry
from aurora_locus.xrpc.method import Outcome, XrpcCall


async def run(registry: Registry, call: XrpcCall) -> Outcome:
    """Revoke the app password with this name. An unknown name is not an error."""
    did, name = call.did, call.body["name"].strip()
    # PostgreSQL rejects a NUL in text, and no app password name contains one.
    if name.isprintable():
        await registry.db.write(lambda w: app_passwords.revoke(w, did, name))
    return None
