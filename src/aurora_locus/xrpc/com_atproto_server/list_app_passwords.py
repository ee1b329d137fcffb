"""List the names of an account's app passwords, never the passwords."""

from at_protocol.syntax.datetime import format_datetime
from aurora_locus.accounts import app_passwords
from aurora_locus.xrpc.authentication import AccessLevel
from aurora_locus.xrpc.method import Outcome, XrpcCall, query


async def list_app_passwords(call: XrpcCall) -> Outcome:
    """Return the name and time of creation of each app password, newest first."""
    async with call.registry.db.reader() as reader:
        app_passwords_of_account = await app_passwords.list_all(reader, call.did)
    return {
        "passwords": [
            {"name": one.name, "createdAt": format_datetime(one.created_at), "privileged": one.is_privileged}
            for one in app_passwords_of_account
        ]
    }


METHOD = query("com.atproto.server.listAppPasswords", list_app_passwords, AccessLevel.ACCESS)
