"""Revoke an app password and end the sessions that were opened with it."""

from aurora_locus.accounts import app_passwords
from aurora_locus.xrpc.authentication import AccessLevel
from aurora_locus.xrpc.method import Outcome, XrpcCall, procedure
from groundwork.database.transaction import Writer


async def revoke_app_password(call: XrpcCall) -> Outcome:
    """Revoke the app password with this name. An unknown name is not an error."""
    did, name = call.did, call.body["name"]

    def work(w: Writer) -> None:
        # Names that were imported from a reference PDS may have spaces around them; ours have none.
        app_passwords.revoke(w, did, name if app_passwords.find(w, did, name) is not None else name.strip())

    if "\0" not in name:  # the databases cannot compare it, and no name contains one
        await call.registry.db.write(work)
    return None


METHOD = procedure("com.atproto.server.revokeAppPassword", revoke_app_password, AccessLevel.ACCESS)
